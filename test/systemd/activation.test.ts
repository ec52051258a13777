import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createConnection } from 'node:net'
import { describe, expect, test } from 'vitest'
import { eventually } from '../../src/conformance/eventually.ts'
import type { FacilityStatus } from '../../src/core/contracts/status.ts'
import { createDirectControl } from '../../src/engine/control/direct-control.ts'
import { stepsOf } from '../labs/engine-lab.ts'
import { createSystemdLab, property, type SystemdLab, systemctl } from '../systemd-lab/engine.ts'

const shell = (script: string): readonly string[] => ['/bin/sh', '-c', script]

/** Job started by a timer, by default once a year. */
function timed(script: string, timer: object = { OnCalendar: 'yearly' }): Record<string, unknown> {
  return { process: { command: shell(script), restart: { policy: 'never' } }, config: { systemd: { timer } } }
}

async function statusOf(lab: SystemdLab, name: string): Promise<FacilityStatus> {
  const [status] = (await createDirectControl(await lab.open()).status(name)).facilities
  if (!status) throw new Error(`no status of ${name}`)
  return status
}

function conditionOf({ conditions }: FacilityStatus, type: string) {
  return conditions.find(condition => condition.type === type)
}

/** Connects to a socket of the machine, and sends nothing. */
function visit(path: string): void {
  const visitor = createConnection(path)
  visitor.on('error', () => visitor.destroy()).end()
}

/** Number of runs that the job has recorded. */
function runs(): number {
  return existsSync('/tmp/ran') ? readFileSync('/tmp/ran', 'utf8').split('\n').length - 1 : 0
}

const failedWith = (code: number) => `its last run failed: it exited with code ${code}`
const jobs: string[] = ['/tmp/may', '/tmp/ran', '/tmp/hold']

describe.skipIf(process.env.REEVE_MACHINE === undefined)('an activation unit', () => {
  test('of kind timer reports its next and last run, and a failed job until a run succeeds', async () => {
    for (const path of jobs) rmSync(path, { force: true })
    await using lab = await createSystemdLab()
    // Waiting for it to become ready would take longer than this test may.
    lab.declareUnit('backup', { ...timed('test -e /tmp/may || exit 3'), readySeconds: 600 })
    const before = Date.now()
    expect(await lab.apply()).toMatchObject({ failed: [], notReady: [] })
    const fresh = await statusOf(lab, 'backup')
    expect(fresh).toMatchObject({ state: 'running', activation: { starts: ['backup.service'], lastRun: null } })
    expect(Date.parse(fresh.since ?? '')).toBeGreaterThan(before - 60_000)
    expect(Date.parse(fresh.activation?.nextRun ?? '')).toBeGreaterThan(before)
    expect(new Date(fresh.activation?.nextRun ?? '').toISOString()).toMatch(/-01-01T/)

    systemctl('start', 'backup.service')
    await eventually('it to fail', () => property('backup', 'ActiveState') === 'failed')
    const failed = await statusOf(lab, 'backup')
    expect(failed).toMatchObject({
      state: 'running',
      lastExit: { code: 3 },
      activation: { lastRun: { outcome: 'failed', message: 'it exited with code 3' } },
    })
    expect(Date.parse(failed.activation?.failure?.at ?? '')).toBeGreaterThan(before - 1_000)
    expect(conditionOf(failed, 'Ready')).toMatchObject({ status: 'False', reason: 'RunFailed', message: failedWith(3) })
    // It can recover by itself: the timer elapses again.
    expect(conditionOf(failed, 'Stalled')).toMatchObject({ status: 'False' })
    const plan = await lab.plan()
    expect(stepsOf(plan)).toEqual([])
    expect(plan.troubles).toEqual([
      { facility: 'backup', reason: 'RunFailed', message: expect.stringContaining(`${failedWith(3)} (at 2`) },
    ])
    // The next run may be a year away.
    expect((await lab.apply()).notReady).toEqual([
      { facility: 'backup', message: expect.stringContaining(failedWith(3)) },
    ])

    writeFileSync('/tmp/may', '')
    systemctl('start', 'backup.service')
    await eventually('it to be well', async () => {
      return (await statusOf(lab, 'backup')).activation?.lastRun?.outcome === 'succeeded'
    })
    expect(conditionOf(await statusOf(lab, 'backup'), 'Ready')).toMatchObject({ status: 'True' })
    expect(await lab.apply()).toMatchObject({ failed: [], notReady: [], stepsDone: 0 })
  })

  test('keeps a failure while the job runs again, and clears it once a changed job is applied', async () => {
    for (const path of jobs) rmSync(path, { force: true })
    await using lab = await createSystemdLab()
    const script = 'test -e /tmp/hold || exit 4; while test -e /tmp/hold; do sleep 0.1; done'
    lab.declareUnit('backup', timed(script))
    await lab.apply()
    systemctl('start', 'backup.service')
    await eventually('it to fail', () => property('backup', 'ActiveState') === 'failed')
    writeFileSync('/tmp/hold', '')
    systemctl('start', 'backup.service')
    const again = await statusOf(lab, 'backup')
    expect(again.activation).toMatchObject({ lastRun: { outcome: 'running', ended: null } })
    expect(again.pid).toBe(Number(property('backup', 'MainPID')))
    expect(conditionOf(again, 'Ready')).toMatchObject({ status: 'False', message: failedWith(4) })
    // A change stops the job and resets its result.
    lab.declareUnit('backup', timed(`${script} # mended`))
    expect(await lab.apply()).toMatchObject({ failed: [], notReady: [] })
    expect(property('backup', 'ActiveState')).toBe('inactive')
    expect(conditionOf(await statusOf(lab, 'backup'), 'Ready')).toMatchObject({ status: 'True' })
    systemctl('start', 'backup.service')
    expect(conditionOf(await statusOf(lab, 'backup'), 'Ready')).toMatchObject({ status: 'True' })
  })

  test('runs a job declared as a portable process at each time, which counts as no restart', async () => {
    for (const path of jobs) rmSync(path, { force: true })
    await using lab = await createSystemdLab()
    const often = { OnActiveSec: '100ms', OnUnitInactiveSec: '100ms', AccuracySec: '10ms' }
    lab.declareUnit('tick', timed('echo tick >> /tmp/ran; sleep 0.2; test -e /tmp/may', often))
    const controller = await lab.run()
    await eventually('three runs', () => runs() >= 3)
    await eventually('the log to tell', () => controller.log.some(({ message }) => message.includes('its last run')))
    expect(controller.log.filter(({ message }) => message.includes('another process of it'))).toEqual([])
    const told = controller.log.filter(({ message }) => message.includes(failedWith(1)))
    expect(told).toHaveLength(1)
    writeFileSync('/tmp/may', '')
    const { activation } = await controller.ready('tick')
    expect(Date.parse(activation?.nextRun ?? activation?.lastRun?.began ?? '')).toBeGreaterThan(Date.now() - 60_000)
  })

  test('has its job run now by reeve start, which says so', async () => {
    for (const path of jobs) rmSync(path, { force: true })
    await using lab = await createSystemdLab()
    const job = { ...timed('echo ran >> /tmp/ran; test -e /tmp/may || exit 5') }
    const oneshot = { systemd: { timer: { OnCalendar: 'yearly' }, unit: { Service: { Type: 'oneshot' } } } }
    lab.declareUnit('backup', { ...job, config: oneshot })
    await lab.apply()
    const control = createDirectControl(await lab.open())
    await expect(control.act('start', 'backup')).rejects.toThrow('backup.service has failed: it exited with code 5')
    writeFileSync('/tmp/may', '')
    expect(await control.act('start', 'backup')).toEqual({
      changed: true,
      message: expect.stringContaining('backup: backup.service was started now'),
    })
    expect(runs()).toBe(2)
    expect(property('backup.timer', 'ActiveState')).toBe('active')
    expect((await statusOf(lab, 'backup')).activation?.lastRun?.outcome).toBe('succeeded')

    systemctl('stop', 'backup.timer')
    const { message } = await control.act('start', 'backup')
    expect(message).toContain('backup started, and waits for its time')
    expect(message).toContain('reeve start backup once more starts backup.service now')
    expect([runs(), property('backup.timer', 'ActiveState')]).toEqual([2, 'active'])

    const controller = await lab.run()
    await controller.ready('backup')
    expect((await controller.control.act('start', 'backup')).message).toContain('backup.service was started now')
    expect(runs()).toBe(3)
    expect(controller.steps()).toEqual(['backup/start'])
  })

  test('of a package is reported and started likewise', async () => {
    for (const path of jobs) rmSync(path, { force: true })
    await using lab = await createSystemdLab()
    lab.place('other.service', '[Service]\nType=oneshot\nExecStart=/bin/sh -c "test -e /tmp/may || exit 6"\n')
    const timer = '[Timer]\nOnBootSec=5h\nUnit=other.service\n[Install]\nWantedBy=timers.target\n'
    lab.place('sweep.timer', timer)
    lab.declareUnit('sweep.timer', {})
    expect(await lab.apply()).toMatchObject({ failed: [], notReady: [] })
    const { activation, since } = await statusOf(lab, 'sweep.timer')
    expect(activation?.starts).toEqual(['other.service'])
    const hours = (Date.parse(activation?.nextRun ?? '') - Date.now()) / 3_600_000
    // Five hours after the boot of the host, which was some time ago.
    expect(hours).toBeLessThan(5)
    expect(Date.parse(since ?? '')).toBeGreaterThan(Date.now() - 60_000)
    const control = createDirectControl(await lab.open())
    await expect(control.act('start', 'sweep.timer')).rejects.toThrow('it exited with code 6')
    expect(conditionOf(await statusOf(lab, 'sweep.timer'), 'Ready')).toMatchObject({ message: failedWith(6) })
    writeFileSync('/tmp/may', '')
    await control.act('start', 'sweep.timer')
    expect(conditionOf(await statusOf(lab, 'sweep.timer'), 'Ready')).toMatchObject({ status: 'True' })
  })

  test('whose job cannot be started, or is masked, says so', async () => {
    for (const path of jobs) rmSync(path, { force: true })
    await using lab = await createSystemdLab()
    lab.place('needed.service', '[Service]\nType=oneshot\nExecStart=/bin/test -e /tmp/may\n')
    const often = '[Timer]\nOnActiveSec=200ms\nOnUnitInactiveSec=200ms\nOnCalendar=*:*:*\nAccuracySec=10ms\n'
    const job = '[Service]\nType=oneshot\nExecStart=/bin/true\n'
    const parts = { held: 'Requires=needed.service\nAfter=needed.service\n', idle: 'ConditionPathExists=/nowhere\n' }
    for (const [name, text] of Object.entries(parts)) {
      lab.place(`${name}.service`, `[Unit]\n${text}${job}`)
      lab.place(`${name}.timer`, `${often}[Install]\nWantedBy=timers.target\n`)
      lab.declareUnit(`${name}.timer`, {})
    }
    await lab.apply()
    await eventually('the one to be told of', async () => {
      const found = conditionOf(await statusOf(lab, 'held.timer'), 'Ready')
      return found?.message.includes('a unit that it requires has failed') === true
    })
    await eventually('the other to be told of', async () => {
      return (await statusOf(lab, 'idle.timer')).activation?.lastRun?.outcome === 'skipped'
    })
    expect(conditionOf(await statusOf(lab, 'idle.timer'), 'Ready')).toMatchObject({ status: 'True' })
    writeFileSync('/tmp/may', '')
    await eventually('it to run', async () => {
      return (await statusOf(lab, 'held.timer')).activation?.lastRun?.outcome === 'succeeded'
    })
    expect(conditionOf(await statusOf(lab, 'held.timer'), 'Ready')).toMatchObject({ status: 'True' })
    systemctl('stop', 'held.timer', 'idle.timer')
  })

  test('of kind socket reports a service that fails on a connection, until one succeeds', async () => {
    for (const path of jobs) rmSync(path, { force: true })
    await using lab = await createSystemdLab()
    const process = { command: shell('head -c 1 <&3; test -e /tmp/may || exit 8') }
    const restart = { policy: 'never' }
    const config = { systemd: { socket: { ListenFIFO: '/run/door' } } }
    lab.declareUnit('door', { process: { ...process, restart }, config })
    await lab.apply()
    expect((await statusOf(lab, 'door')).since).toMatch(/^2/)
    writeFileSync('/run/door', 'x')
    await eventually('it to fail', () => property('door', 'ActiveState') === 'failed')
    const failed = await statusOf(lab, 'door')
    expect(failed).toMatchObject({ state: 'running', activation: { starts: ['door.service'], nextRun: null } })
    expect(conditionOf(failed, 'Ready')).toMatchObject({ status: 'False', message: failedWith(8) })
    writeFileSync('/tmp/may', '')
    writeFileSync('/run/door', 'x')
    await eventually('it to be well', async () => {
      return (await statusOf(lab, 'door')).activation?.lastRun?.outcome === 'succeeded'
    })
    expect(conditionOf(await statusOf(lab, 'door'), 'Ready')).toMatchObject({ status: 'True' })
  })

  test('that systemd has given up on says why', async () => {
    await using lab = await createSystemdLab()
    const socket = { ListenFIFO: '/run/gate', TriggerLimitIntervalSec: '100s', TriggerLimitBurst: 2 }
    lab.declareUnit('gate', { process: { command: ['/bin/true'] }, config: { systemd: { socket } } })
    await lab.apply()
    // A connection that nobody accepts starts the service again and again.
    writeFileSync('/run/gate', 'x')
    await eventually('the socket to give up', () => property('gate.socket', 'ActiveState') === 'failed')
    const { state, conditions } = await statusOf(lab, 'gate')
    expect(state).toBe('failed')
    expect(conditions.find(({ type }) => type === 'Ready')?.message).toContain('was set off too often in a short time')
    systemctl('stop', 'gate.service')
  })

  test('with a process per connection reports their number and the last failure', async () => {
    for (const path of jobs) rmSync(path, { force: true })
    await using lab = await createSystemdLab()
    lab.place('talk@.service', '[Service]\nExecStart=/bin/sh -c "test -e /tmp/may || exit 9"\nStandardInput=socket\n')
    lab.place('talk.socket', '[Socket]\nListenStream=/run/talk\nAccept=yes\n[Install]\nWantedBy=sockets.target\n')
    lab.declareUnit('talk.socket', {})
    expect(await lab.apply()).toMatchObject({ failed: [], notReady: [] })
    visit('/run/talk')
    await eventually('it to fail', async () => {
      return conditionOf(await statusOf(lab, 'talk.socket'), 'Ready')?.message.includes(failedWith(9)) === true
    })
    expect((await statusOf(lab, 'talk.socket')).activation?.connections).toEqual({ accepted: 1, open: 0 })
    expect(await createDirectControl(await lab.open()).act('start', 'talk.socket')).toMatchObject({ changed: false })
    writeFileSync('/tmp/may', '')
    visit('/run/talk')
    await eventually('it to be well', async () => {
      return conditionOf(await statusOf(lab, 'talk.socket'), 'Ready')?.status === 'True'
    })
    expect(existsSync('/run/talk')).toBe(true)
    systemctl('stop', 'talk.socket')
  })
})
