import { spawnSync } from 'node:child_process'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { systemdProvider } from '../../providers/systemd/index.ts'
import { eventually } from '../../src/conformance/eventually.ts'
import { isAlive } from '../../src/conformance/lab.ts'
import { makePlanRun } from '../../src/engine/refresh/plan-run.ts'
import { createReadHost } from '../../src/host/read-host.ts'
import { longRun, type RunningController } from '../labs/engine-lab.ts'
import { createSystemdLab, property, type SystemdLab, systemctl } from '../systemd-lab/engine.ts'
import { openObserver } from '../tools/opened-provider.ts'

const unitFile = '/etc/systemd/system/web.service'

/** Without resync: a repair here follows from a report of systemd or of the directory. */
const configuration = 'resync: 1h'

async function runWeb(lab: SystemdLab): Promise<RunningController> {
  lab.declareUnit('web', { process: longRun() })
  const controller = await lab.run()
  await controller.ready('web')
  return controller
}

const manager = ['org.freedesktop.systemd1', '/org/freedesktop/systemd1', 'org.freedesktop.systemd1.Manager']

/** Querying an unloaded unit by name is reported as a change: it is loaded and unloaded for that. */
const idle = [
  'org.freedesktop.systemd1',
  '/org/freedesktop/systemd1/unit/idle_2eservice',
  'org.freedesktop.systemd1.Unit',
]

describe.skipIf(process.env.REEVE_MACHINE === undefined)('the controller receives events:', () => {
  const meddling: Readonly<Record<string, () => void>> = {
    'a stop': () => systemctl('stop', 'web'),
    'a disablement': () => systemctl('disable', 'web'),
    'a removed link': () => rmSync('/etc/systemd/system/multi-user.target.wants/web.service'),
    'an edited unit': () => writeFileSync(unitFile, readFileSync(unitFile, 'utf8').replace('always', 'on-failure')),
    'a deleted unit that is running': () => rmSync(unitFile),
    'a deleted unit that was reloaded and stopped': () => {
      rmSync(unitFile)
      systemctl('daemon-reload')
      systemctl('stop', 'web')
    },
  }
  for (const [what, meddle] of Object.entries(meddling)) {
    test(`${what} is repaired`, async () => {
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

  test('a SIGKILL is left to systemd, whose restart is no drift', async () => {
    await using lab = await createSystemdLab({ configuration })
    const controller = await runWeb(lab)
    const count = controller.steps().length
    const pid = Number(property('web', 'MainPID'))
    process.kill(pid, 'SIGKILL')
    await eventually('another to run', () => !isAlive(pid) && property('web', 'SubState') === 'running')
    await controller.ready('web')
    expect(controller.steps().slice(count)).toEqual([])
  })

  test('a re-executing systemd in the middle: actions are done, and events continue', async () => {
    await using lab = await createSystemdLab({ configuration })
    const controller = await runWeb(lab)
    for (let count = 0; count < 3; count += 1) {
      systemctl('daemon-reexec')
      systemctl('stop', 'web')
      await eventually('it to run again', () => property('web', 'ActiveState') === 'active')
    }
    expect(controller.events.filter(event => event.type === 'step-finished' && event.result !== 'done')).toEqual([])
  })

  test('a restarted bus: events continue', async () => {
    await using lab = await createSystemdLab({ configuration })
    const controller = await runWeb(lab)
    systemctl('restart', 'dbus.service')
    systemctl('stop', 'web')
    await eventually('it to run again', () => property('web', 'ActiveState') === 'active')
    await controller.ready('web')
  })

  test('without a bus: events come by the private socket', async () => {
    await using lab = await createSystemdLab({ configuration })
    systemctl('stop', 'dbus.socket', 'dbus.service')
    const controller = await runWeb(lab)
    systemctl('stop', 'web')
    await eventually('it to run again', () => property('web', 'ActiveState') === 'active')
    await controller.ready('web')
    systemctl('start', 'dbus.socket')
  })

  test('a repeated daemon-reload by somebody else during passes changes nothing', async () => {
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

  test("a query is no event: neither one that loads a unit for a moment, nor Reeve's, which load none", async () => {
    await using lab = await createSystemdLab({ configuration })
    lab.declareUnit('idle', { process: longRun(), state: 'stopped', enabled: false })
    lab.declareUnit('web', { process: longRun() })
    await lab.apply()
    const instance = (await makePlanRun(await lab.open())).instances.get('systemd')?.instance
    if (!instance) throw new Error('there is no systemd')
    const host = createReadHost({ queries: [], busQueries: systemdProvider.capabilities.busQueries ?? [] })
    const hints: string[] = []
    using observer = openObserver(systemdProvider, instance, host)
    using _watch = observer.watch?.((service = '*') => hints.push(service))
    using bus = createReadHost(systemdProvider.capabilities).openBus({
      name: 'the bus',
      addresses: [{ socket: '/run/dbus/system_bus_socket', isPeer: false }],
    })
    const loads: unknown[] = []
    await bus.listen(`type='signal',interface='${manager[2]}',member='UnitNew'`, ({ member, body }) => {
      if (member === 'UnitNew') loads.push(body[0])
    })
    await eventually('it to hear', () => hints.includes('*'))
    /** Signals arrive in order: once this one is received, so are those before it. */
    const hearAll = async (): Promise<void> => {
      hints.splice(0, hints.length, ...hints.filter(service => service !== 'web'))
      spawnSync('busctl', ['call', ...manager, 'StartUnit', 'ss', 'web.service', 'replace'])
      await eventually('the start to be heard', () => hints.includes('web'))
    }
    await hearAll()
    hints.length = 0
    await observer.observe(['idle', 'web'])
    spawnSync('busctl', ['get-property', ...idle, 'ActiveState'])
    await eventually('the unit to be loaded', () => loads.includes('idle.service'))
    await hearAll()
    expect(loads.filter(unit => unit === 'idle.service')).toHaveLength(1)
    expect(hints).not.toContain('idle')
  })
})
