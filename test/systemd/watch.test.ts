import { spawn, spawnSync } from 'node:child_process'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { eventually, isAlive } from '../../src/conformance/lab.ts'
import { longRun, type RunningController } from '../engine-lab.ts'
import { createSystemdLab, property, type SystemdLab, systemctl } from '../systemd-lab/engine.ts'

const unitFile = '/etc/systemd/system/web.service'

/** Without the regular look: what is put right here is put right because systemd, or the directory, has told of it. */
const configuration = 'resync: 1h'

async function runWeb(lab: SystemdLab): Promise<RunningController> {
  lab.declareUnit('web', { process: longRun() })
  const controller = await lab.run()
  await controller.ready('web')
  return controller
}

const manager = ['org.freedesktop.systemd1', '/org/freedesktop/systemd1', 'org.freedesktop.systemd1.Manager']

describe.skipIf(process.env.REEVE_MACHINE === undefined)('the controller hears of it by events', () => {
  const meddling: Readonly<Record<string, () => void>> = {
    'a stop': () => systemctl('stop', 'web'),
    'a disabling': () => systemctl('disable', 'web'),
    'a link that is taken away': () => rmSync('/etc/systemd/system/multi-user.target.wants/web.service'),
    'an edited unit': () => writeFileSync(unitFile, readFileSync(unitFile, 'utf8').replace('always', 'on-failure')),
    'a deleted unit that runs': () => rmSync(unitFile),
    'a deleted unit that was reloaded and stopped': () => {
      rmSync(unitFile)
      systemctl('daemon-reload')
      systemctl('stop', 'web')
    },
  }
  for (const [what, meddle] of Object.entries(meddling)) {
    test(`${what} is put right`, async () => {
      await using lab = await createSystemdLab({ configuration })
      await runWeb(lab)
      const before = readFileSync(unitFile, 'utf8')
      meddle()
      await eventually('it to be as declared', async () => {
        const { state, enabled } = await lab.observe('web')
        const isWhole = spawnSync('cmp', ['-s', unitFile, '-'], { input: before }).status === 0
        return state === 'running' && enabled === true && isWhole
      })
    })
  }

  test('a SIGKILL is left to systemd, and the restart that it makes is no drift', async () => {
    await using lab = await createSystemdLab({ configuration })
    const controller = await runWeb(lab)
    const count = controller.steps().length
    const pid = Number(property('web', 'MainPID'))
    process.kill(pid, 'SIGKILL')
    await eventually('another to run', () => !isAlive(pid) && property('web', 'SubState') === 'running')
    await controller.ready('web')
    expect(controller.steps().slice(count)).toEqual([])
  })

  test('systemd executed anew in the middle: what is asked for is done, and it goes on hearing', async () => {
    await using lab = await createSystemdLab({ configuration })
    const controller = await runWeb(lab)
    for (let count = 0; count < 3; count += 1) {
      systemctl('daemon-reexec')
      systemctl('stop', 'web')
      await eventually('it to run again', () => property('web', 'ActiveState') === 'active')
    }
    expect(controller.events.filter(event => event.type === 'step-finished' && event.result !== 'done')).toEqual([])
  })

  test('the bus restarted: it goes on hearing', async () => {
    await using lab = await createSystemdLab({ configuration })
    const controller = await runWeb(lab)
    systemctl('restart', 'dbus.service')
    systemctl('stop', 'web')
    await eventually('it to run again', () => property('web', 'ActiveState') === 'active')
    await controller.ready('web')
  })

  test('no bus at all: it hears by the private socket', async () => {
    await using lab = await createSystemdLab({ configuration })
    systemctl('stop', 'dbus.socket', 'dbus.service')
    const controller = await runWeb(lab)
    systemctl('stop', 'web')
    await eventually('it to run again', () => property('web', 'ActiveState') === 'active')
    await controller.ready('web')
    systemctl('start', 'dbus.socket')
  })

  test('daemon-reload by somebody else, again and again in the middle of passes, changes nothing', async () => {
    await using lab = await createSystemdLab({ configuration })
    for (let count = 0; count < 20; count += 1) lab.declareUnit(`s${count}`, { process: longRun(count) })
    const reloading = spawnSync('systemd-run', [
      '--unit=reloads',
      'sh',
      '-c',
      'while :; do systemctl daemon-reload; done',
    ])
    expect(reloading.status).toBe(0)
    const controller = await lab.run()
    for (let count = 0; count < 20; count += 1) await controller.ready(`s${count}`)
    systemctl('stop', 'reloads')
    const starts = controller.steps().filter(step => step.endsWith('/start'))
    expect(new Set(starts).size).toBe(20)
    expect(controller.steps().filter(step => step.endsWith('/restart'))).toEqual([])
  })

  test('looking is no event: at rest nobody looks', async () => {
    await using lab = await createSystemdLab({ configuration })
    lab.declareUnit('idle', { process: longRun(), state: 'stopped', enabled: false })
    const controller = await runWeb(lab)
    await controller.ready('idle')
    // Of a unit that isn't loaded, every look would be told as a change, if it were asked for by its name.
    const monitor = spawn('busctl', ['monitor', '--json=short', 'org.freedesktop.systemd1'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let said = ''
    monitor.stdout.setEncoding('utf8').on('data', (text: string) => {
      said += text
    })
    const looks = (): number => said.split('"ListUnits"').length - 1
    const look = (): unknown => spawnSync('busctl', ['call', ...manager, 'ListUnits'])
    await eventually('the monitor to hear', () => look() !== undefined && looks() > 0)
    // Ten looks of ours, and none of anybody's in answer to them.
    await eventually('rest', async () => {
      const before = looks()
      for (let count = 1; count <= 10; count += 1) {
        look()
        await eventually('it to be heard', () => looks() >= before + count)
      }
      return looks() === before + 10
    })
    monitor.kill()
  })
})
