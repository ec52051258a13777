import { mkdirSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { eventually } from '../../../src/conformance/eventually.ts'
import { openControl } from '../../../src/engine/control/control-access.ts'
import {
  conditionOf,
  createEngineLab,
  type EngineLab,
  longRun,
  planOf,
  reasonOf,
  type Spec,
  stepsOf,
} from '../../labs/engine-lab.ts'
import { scanFamilies } from '../../labs/scan-lab.ts'

/** Runs for longer than it has to, then exits: again and again. */
function crashing(lab: EngineLab, more: Spec = {}): Spec {
  const command = ['/bin/sh', '-c', `echo x >> ${lab.path('runs')}; sleep 0.6; exit 3`]
  return { readySeconds: 0.2, process: { command, restart: { delay: '10ms' } }, ...more }
}

/** Fails at once until a file `may-run` exists; its supervisor would wait for a minute. */
function waiting(lab: EngineLab): Spec {
  const command = ['/bin/sh', '-c', `test -e ${lab.path('may-run')} && exec sleep 1000000; exit 7`]
  return { process: { command, restart: { delay: '60s' } } }
}

const looping = { facility: 'web', reason: 'CrashLooping', message: 'crash loop: it exited with code 3' }

test.concurrent('E11: a service that exits soon after each start is a crash loop even while it runs, and plan and apply name it', async () => {
  await using lab = createEngineLab()
  lab.declare('web', crashing(lab))
  lab.declare('db', { process: longRun() })
  // On a busy machine it may be in a crash loop by now.
  expect((await lab.apply()).failed).toEqual([])
  await eventually('a moment in which it runs', async () => {
    const { state, restarts = 0 } = await lab.observe('web')
    return state === 'running' && restarts >= 2
  })
  const { facilities } = await (await openControl(await lab.open())).status('web')
  expect(facilities[0]).toMatchObject({ lastExit: { code: 3, message: 'exited with code 3' } })
  expect(facilities[0]?.restarts).toBeGreaterThanOrEqual(2)
  expect(['Ready', 'Stalled', 'CrashLooping'].map(type => conditionOf(facilities[0], type))).toEqual([
    'False',
    'True',
    'True',
  ])
  expect((await lab.plan()).troubles).toEqual([looping])
  const outcome = await lab.apply()
  expect(outcome.notReady).toMatchObject([{ facility: 'web', message: looping.message }])
})

test.concurrent('E11: apply and status show the last output of a crash loop, from its own log or the declared file', async () => {
  await using lab = createEngineLab()
  const script = 'echo cannot bind port; echo TOKEN=abc; printf "\\033[31mred\\n" >&2; exit 3'
  const spec = { command: ['/bin/sh', '-c', script], restart: { delay: '10ms' } }
  lab.declare('own', { process: spec })
  lab.declare('filed', { process: { ...spec, output: { file: lab.path('filed.log') } } })
  const { notReady } = await lab.apply()
  const lines = ['cannot bind port', 'TOKEN=(redacted)', '\u001b[31mred']
  const [filed, own] = notReady.map(({ message }) => message)
  expect(filed).toContain(`; its output (${lab.path('filed.log')}) ends with:\n  `)
  expect(own).toMatch(/; its output \(\/\S+own\S*\) ends with:\n {2}/)
  expect(notReady.map(({ message }) => message.split('\n  ').slice(-3))).toEqual([lines, lines])
  const { facilities } = await (await openControl(await lab.open())).status()
  expect(facilities.map(({ lastOutput = [] }) => lastOutput.slice(-3))).toEqual([lines, lines])
  const controller = await lab.run()
  await eventually('a crash loop', async () => reasonOf(await controller.status('filed'), 'Ready') === 'CrashLooping')
  expect((await controller.status('filed'))?.lastOutput?.slice(-3)).toEqual(lines)
  // No output is read of a healthy service.
  lab.declare('filed', {
    process: { command: ['/bin/sh', '-c', 'echo well; exec sleep 1000000'], output: { file: lab.path('filed.log') } },
  })
  expect((await controller.ready('filed')).lastOutput).toBeUndefined()
})

for (const { scanner, harness } of scanFamilies) {
  test.concurrent(`the last output of a crash loop is read from its logger under ${scanner}`, async () => {
    await using lab = createEngineLab({ providers: [harness.provider] })
    const root = lab.path('scan')
    mkdirSync(root)
    const supervisor = await harness.setUp(root)
    await using _scanner = { [Symbol.asyncDispose]: () => supervisor.tearDown() }
    const { type } = harness.provider
    const spec = { type, [type]: supervisor.options }
    lab.write(
      'scan.yaml',
      JSON.stringify({ apiVersion: 'reeve/v1', kind: 'Supervisor', metadata: { name: 'scan' }, spec }),
    )
    const process = {
      command: ['/bin/sh', '-c', 'echo cannot bind port; exit 3'],
      output: { file: lab.path('web.log') },
    }
    lab.declare('web', { supervisor: 'scan', process })
    await lab.apply()
    const control = await openControl(await lab.open())
    await eventually('its last line in the status', async () => {
      const { facilities } = await control.status('web')
      return facilities[0]?.lastOutput?.at(-1)?.endsWith('cannot bind port') === true
    })
  })
}

test.concurrent("a service in its supervisor's backoff is started at once by apply, as planned", async () => {
  await using lab = createEngineLab()
  lab.declare('web', waiting(lab))
  await lab.apply()
  await eventually('it to wait', async () => (await lab.observe('web')).message?.startsWith('waiting') === true)
  writeFileSync(lab.path('may-run'), '')
  expect(stepsOf(await lab.plan())).toEqual(['web/start'])
  const began = Date.now()
  expect(await lab.apply()).toMatchObject({ failed: [], notReady: [] })
  expect(Date.now() - began).toBeLessThan(15_000)
  expect(stepsOf(await lab.plan())).toEqual([])
  expect(await lab.observe('web')).toMatchObject({ state: 'running', restarts: 0, totalRestarts: 0 })
})

test.concurrent.for(['start', 'restart'] as const)(
  'reeve %s starts a waiting service at once, under a controller too',
  async verb => {
    await using lab = createEngineLab()
    lab.declare('web', waiting(lab))
    const controller = await lab.run()
    await eventually('it to wait', async () => (await lab.observe('web')).message?.startsWith('waiting') === true)
    writeFileSync(lab.path('may-run'), '')
    await controller.control.act(verb, 'web')
    await controller.ready('web')
  },
)

test.concurrent('a service that failed for good, by restart policy never, is not up to date', async () => {
  await using lab = createEngineLab()
  lab.declare('job', { process: { command: ['/bin/sh', '-c', 'exit 5'], restart: { policy: 'never' } } })
  expect((await lab.apply()).notReady).toMatchObject([{ facility: 'job' }])
  const plan = await lab.plan()
  expect(planOf(plan, 'job')?.steps).toEqual([])
  expect(plan.troubles).toMatchObject([{ facility: 'job', reason: 'FailedForGood' }])
  expect((await lab.apply()).notReady).toMatchObject([{ facility: 'job' }])
  const controller = await lab.run()
  await eventually(
    'it to be Stalled',
    async () => reasonOf(await controller.status('job'), 'Stalled') === 'FailedForGood',
  )
  expect(reasonOf(await controller.status('job'), 'Reconciling')).toBe('FailedForGood')
  expect(controller.steps()).toEqual([])
})

test.concurrent('a service killed and restarted by its supervisor shows in status, log and history', async () => {
  await using lab = createEngineLab()
  lab.declare('web', { process: longRun() })
  const controller = await lab.run()
  const { pid } = await controller.ready('web')
  expect(await controller.status('web')).toMatchObject({ restarts: 0 })
  process.kill(pid ?? 0, 'SIGKILL')
  await eventually('it to run again', async () => ((await controller.status('web'))?.pid ?? pid) !== pid)
  const status = await controller.ready('web')
  expect(status).toMatchObject({
    restarts: 1,
    lastExit: { signal: 'KILL', message: 'was killed by signal KILL' },
  })
  const entries = lab.history().filter(({ reason }) => reason === 'ended')
  expect(entries).toMatchObject([
    {
      facility: 'web',
      verb: 'restart',
      result: 'done',
      trigger: 'supervisor',
      error: 'its process was killed by signal KILL',
    },
  ])
  const told = controller.log.filter(({ message }) => message.includes('was killed by signal KILL'))
  expect(told).toHaveLength(1)
  expect(controller.steps()).toEqual(['web/install', 'web/enable', 'web/start'])
})

test.concurrent('a suspended facility is observed: its drift is in plan, status and log, without steps', async () => {
  await using lab = createEngineLab()
  lab.declare('web', { process: longRun() })
  await lab.apply()
  const controller = await lab.run()
  await controller.control.act('stop', 'web', { suspend: true })
  const pending = 'to do: start'
  await eventually('its drift to be told', async () => (await controller.status('web'))?.pending === pending)
  expect(planOf(await lab.plan(), 'web')).toMatchObject({ suspended: true, steps: [], withheld: { change: 'repair' } })
  const told = () => controller.log.filter(({ message }) => message.includes(pending))
  await eventually('the log to tell', () => told().length > 0)
  expect(told()).toHaveLength(1)
  expect((await lab.observe('web')).state).toBe('stopped')
  await controller.control.resume('web')
  expect(await controller.ready('web')).not.toHaveProperty('pending')
})
