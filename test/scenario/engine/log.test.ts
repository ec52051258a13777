import { chmodSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { expect, onTestFinished, test, vi } from 'vitest'
import { processProvider } from '../../../providers/process/index.ts'
import { eventually } from '../../../src/conformance/eventually.ts'
import type { ActionResult } from '../../../src/core/contracts/provider.ts'
import {
  createEngineLab,
  type EngineLab,
  longRun,
  type RunningController,
  reasonOf,
  type Spec,
} from '../../labs/engine-lab.ts'
import type { LogLine } from '../../tools/log-lines.ts'
import { withApplier } from '../../tools/opened-provider.ts'

const quick = 'resync: 1s'

function healthyWith(lab: EngineLab, file: string, more: Spec = {}): Spec {
  return { exec: { command: ['/usr/bin/test', '-e', lab.path(file)] }, interval: '200ms', failureThreshold: 2, ...more }
}

function saidOf({ log }: RunningController, facility: string, level: string): LogLine[] {
  return log.filter(({ fields, ...line }) => line.level === level && fields.facility === facility)
}

function announcements({ log }: RunningController): string[] {
  return log.flatMap(({ message }) => (/as declared(;|$)/.test(message) ? message : []))
}

/** Waits for several more passes to end. */
async function morePasses({ control }: RunningController): Promise<void> {
  const last = async (): Promise<string> => (await control.status()).controller?.lastPass ?? ''
  for (let count = 0; count < 3; count += 1) {
    const before = await last()
    await eventually('another pass', async () => (await last()) !== before)
  }
}

test.concurrent('PITFALLS 15: a problem without a failing step is logged once, with its reason', async () => {
  await using lab = createEngineLab({ configuration: quick })
  writeFileSync(lab.path('fine'), '')
  lab.declare('crashing', { process: { command: ['/bin/sh', '-c', 'exit 3'], restart: { delay: '200ms' } } })
  lab.declare('never', { process: longRun(), health: healthyWith(lab, 'nothing', { startupTimeout: '1s' }) })
  lab.declare('ill', { process: longRun(), health: healthyWith(lab, 'fine') })
  lab.declare('fine', { process: longRun() })
  const controller = await lab.run()
  await controller.ready('ill')
  await controller.ready('fine')
  writeFileSync(`${lab.supervisorDirectory}/definitions/blocked.json`, '{"process":{"command":["/bin/sleep","77"]}}\n')
  lab.declare('blocked', { process: longRun() })
  rmSync(lab.path('fine'))
  /** Each restart is logged as well, without a reason of its own. */
  const told = (name: string) => saidOf(controller, name, 'warn').filter(({ fields }) => 'reason' in fields)
  const reasons = { crashing: 'CrashLooping', never: 'Unhealthy', ill: 'Unhealthy', blocked: 'Blocked' }
  await eventually('all of them to be told', () => Object.keys(reasons).every(name => told(name).length > 0))
  await morePasses(controller)
  for (const [name, reason] of Object.entries(reasons)) {
    expect(told(name).map(({ fields }) => fields)).toEqual([{ facility: name, reason }])
  }
  expect(saidOf(controller, 'blocked', 'warn')[0]?.message).toMatch(/^blocked: not as declared: .*adopt: true/)
  expect(saidOf(controller, 'ill', 'warn')[0]?.message).toMatch(
    /health check fails: the health command exited 1; see \/\S+ill\S*$/,
  )
  expect(saidOf(controller, 'fine', 'warn')).toEqual([])

  writeFileSync(lab.path('fine'), '')
  await eventually('the recovery to be told', () =>
    saidOf(controller, 'ill', 'info').some(({ message }) => message === 'ill: as declared again'),
  )
})

test.concurrent('PITFALLS 14: the log says that all facilities are up to date only when they are', async () => {
  await using lab = createEngineLab({ configuration: quick })
  for (const name of ['a', 'b', 'c', 'd']) lab.declare(name, { process: longRun() })
  await lab.apply()
  for (const name of ['b', 'c', 'd']) lab.withdraw(name)
  const controller = await lab.run()
  // More removals than are allowed at once.
  await controller.ready('a')
  await morePasses(controller)
  expect(announcements(controller)).toEqual([])
  for (const name of ['c', 'd']) lab.declare(name, { process: longRun() })
  await eventually('it to be said', () => announcements(controller).length > 0)
  const steps = controller.log.map(({ message }) => message)
  expect(announcements(controller)).toEqual(['all 3 facilities are as declared'])
  expect(controller.steps().slice(-1)).toEqual(['b/remove'])
  expect(steps).toContain('manifests read: 1 facility')

  // The facilities of an unreadable file are unknown.
  lab.write('d.yaml', 'half: [written')
  await eventually('it to be noticed', () => controller.log.some(({ level }) => level === 'error'))
  await morePasses(controller)
  expect(announcements(controller)).toHaveLength(1)
})

test.concurrent('PITFALLS 14: what is gone from the host is under way till its removal has ended', async () => {
  let finish = (): void => {}
  const finished = new Promise<void>(resolve => {
    finish = resolve
  })
  const slow = withApplier(processProvider, ({ apply }) => ({
    async apply(actions, report) {
      const reports: ActionResult[] = []
      await apply(actions, result => reports.push(result))
      if (actions.some(({ verb }) => verb === 'remove')) await finished
      for (const result of reports) report(result)
    },
  }))
  await using lab = createEngineLab({ configuration: quick, providers: [slow] })
  for (const name of ['a', 'b']) lab.declare(name, { process: longRun() })
  await lab.apply()
  lab.withdraw('b')
  const controller = await lab.run()
  await controller.ready('a')
  await eventually('it to be gone', async () => (await lab.observe('b')).state === 'absent')
  await morePasses(controller)
  expect([controller.steps(), announcements(controller)]).toEqual([['b/stop'], []])
  finish()
  await eventually('it to be said', () => announcements(controller).length > 0)
  expect(controller.steps()).toEqual(['b/stop', 'b/remove'])
})

test.concurrent('PITFALLS 14: without facilities, nothing is reported as up to date', async () => {
  await using lab = createEngineLab({ configuration: quick })
  lab.declare('web', { process: longRun() })
  await lab.apply()
  lab.withdraw('web')
  const controller = await lab.run()
  await eventually('it to be removed', () => controller.steps().includes('web/remove'))
  await morePasses(controller)
  rmSync(lab.manifests, { recursive: true })
  await morePasses(controller)
  expect(announcements(controller)).toEqual([])
})

test.concurrent('a suspended facility is not counted as up to date', async () => {
  await using lab = createEngineLab({ configuration: quick })
  lab.declare('web', { process: longRun() })
  lab.declare('off', { process: longRun(), suspend: true })
  const controller = await lab.run()
  await eventually('it to be said', () => announcements(controller).length > 0)
  expect(announcements(controller)).toEqual(['1 facility is as declared; 1 other is left alone'])
})

test('the service manager is told when the status changes, and only then', async () => {
  await using lab = createEngineLab({ configuration: quick })
  const said = lab.path('said')
  const words = (): string[] => (existsSync(said) ? readFileSync(said, 'utf8').split('\n').filter(Boolean) : [])
  writeFileSync(lab.path('systemd-notify'), `#!/bin/sh\nshift\necho "$*" >> ${said}\n`)
  chmodSync(lab.path('systemd-notify'), 0o755)
  vi.stubEnv('PATH', `${lab.directory}:${process.env.PATH}`)
  vi.stubEnv('NOTIFY_SOCKET', lab.path('notify'))
  onTestFinished(() => void vi.unstubAllEnvs())
  lab.declare('web', { process: longRun() })
  const controller = await lab.run()
  await controller.ready('web')
  lab.declare('sick', { process: { command: ['/bin/false'], restart: { delay: '200ms' } } })
  await eventually(
    'it to be Stalled',
    async () => reasonOf(await controller.status('sick'), 'Stalled') === 'CrashLooping',
  )
  await eventually('it to be told', () => words().at(-1) === '--status=2 facilities, 1 not as declared')
  await morePasses(controller)
  await controller.stop()
  expect(words()).toEqual([
    '--ready --status=1 facility',
    '--status=2 facilities',
    '--status=2 facilities, 1 not as declared',
    'STOPPING=1',
  ])
})
