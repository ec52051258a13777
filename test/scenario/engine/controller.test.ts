import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { eventually } from '../../../src/conformance/eventually.ts'
import { isAlive } from '../../../src/conformance/lab.ts'
import {
  conditionOf,
  createEngineLab,
  diary,
  healthyWith,
  longRun,
  type RunningController,
  reasonOf,
  type Spec,
  stepsOf,
} from '../../labs/engine-lab.ts'
import { findSupervisorPid } from '../../labs/process-lab.ts'
import { createMeddledProvider } from '../../tools/meddled-provider.ts'
import { withObserver } from '../../tools/opened-provider.ts'

const quick = 'resync: 1s'
const slow = 'resync: 1h'

/** Waits until it makes no pass for 3 s, however late a busy host reports changes. */
async function untilIdle(controller: RunningController, passes: () => number): Promise<void> {
  await eventually('the controller to do nothing', async () => {
    const before = passes()
    await new Promise(resolve => setTimeout(resolve, 3_000))
    expect((await controller.control.status()).facilities.length).toBeGreaterThan(0)
    return passes() === before
  })
}

test.concurrent('E1: without a change the controller does nothing, however often it is woken', async () => {
  const meddled = createMeddledProvider()
  await using lab = createEngineLab({ configuration: slow, providers: [meddled.provider] })
  lab.declare('web', { process: longRun(), health: healthyWith(lab, 'reeve.yaml', { timeout: '30s' }) })
  lab.declare('db', { process: longRun() })
  const controller = await lab.run()
  await controller.ready('web')
  await controller.ready('db')
  await untilIdle(controller, () => meddled.probes)
  const steps = controller.steps()
  // A manifest that is touched endlessly causes passes, but no steps.
  for (let i = 0; i < 20; i += 1) {
    lab.write('note.txt', String(i))
    lab.declare('db', { process: longRun() })
  }
  await untilIdle(controller, () => meddled.probes)
  expect(controller.steps()).toEqual(steps)
})

test.concurrent.for(['lost', 'doubled'] as const)(
  'E1: with all hints of the supervisor %s, drift is repaired',
  async hints => {
    const meddled = createMeddledProvider()
    meddled.hints = hints
    await using lab = createEngineLab({ configuration: quick, providers: [meddled.provider] })
    lab.declare('web', { process: longRun() })
    const controller = await lab.run()
    await controller.ready('web')
    const definition = `${lab.supervisorDirectory}/definitions/web.json`
    const text = readFileSync(definition, 'utf8')
    writeFileSync(definition, text.replace('1000000', '1000099'))
    await eventually('the definition to be put right', () => readFileSync(definition, 'utf8') === text)
    rmSync(`${lab.supervisorDirectory}/enabled/web`)
    await eventually('it to be enabled again', () => controller.steps().filter(id => id === 'web/enable').length === 2)
    // The status follows from the observation after the step.
    await eventually('it to be said', async () => (await controller.status('web'))?.enabled === true)
    expect((await controller.ready('web')).state).toBe('running')
    expect(controller.steps().filter(id => id === 'web/restart')).toEqual([])
  },
)

test.concurrent('E1: with hints, drift is repaired long before the next resync', async () => {
  await using lab = createEngineLab({ configuration: slow })
  lab.declare('web', { process: longRun(), files: [{ path: lab.path('web.conf'), content: 'one\n' }] })
  const controller = await lab.run()
  await controller.ready('web')
  const definition = `${lab.supervisorDirectory}/definitions/web.json`
  const text = readFileSync(definition, 'utf8')
  rmSync(definition)
  await eventually('the definition to come back', () => {
    try {
      return readFileSync(definition, 'utf8') === text
    } catch {
      return false
    }
  })
  await controller.ready('web')
  expect(controller.steps().slice(-1)).toEqual(['web/install'])
})

test.concurrent('E6, PITFALLS 11: a revision that never becomes healthy blocks neither its fix nor other waiting clients', async () => {
  await using lab = createEngineLab({ configuration: slow })
  lab.declare('db', { process: longRun(1), health: healthyWith(lab, 'never', { startupTimeout: '10m' }) })
  lab.declare('web', { process: longRun(), dependsOn: ['db'] })
  lab.declare('other', { process: longRun() })
  const controller = await lab.run()
  await controller.ready('other')
  await eventually('web to wait for db', async () => {
    const web = await controller.status('web')
    return reasonOf(web, 'Reconciling') === 'UnderWay'
  })
  expect(conditionOf(await controller.status('db'), 'Ready')).toBe('False')
  lab.declare('db', { process: longRun(2), health: healthyWith(lab, 'reeve.yaml') })
  await controller.ready('db')
  await controller.ready('web')
  expect(controller.steps().filter(id => id.startsWith('db/'))).toEqual([
    'db/install',
    'db/enable',
    'db/start',
    'db/install',
    'db/restart',
  ])
})

test.concurrent('E6: a newer manifest supersedes a step that waits for a slow stop', async () => {
  await using lab = createEngineLab({ configuration: slow })
  const log = lab.path('diary')
  const stubborn = (mark: string): Spec => ({ ...diary('web', log, { stopping: 4, mark }), stop: { timeout: '1m' } })
  lab.declare('web', { process: stubborn('one') })
  const controller = await lab.run()
  await controller.ready('web')
  lab.declare('web', { process: stubborn('two') })
  await eventually('the restart to be under way', () =>
    controller.events.some(event => event.type === 'step-started' && event.step.id === 'web/restart'),
  )
  lab.declare('web', { process: stubborn('three') })
  await eventually('it to be given up', () =>
    controller.events.some(event => event.type === 'step-finished' && event.result === 'aborted'),
  )
  expect(lab.lines('diary').filter(line => line.startsWith('stop'))).toEqual([])
  const definition = `${lab.supervisorDirectory}/definitions/web.json`
  await eventually('the newest definition to be there', () => readFileSync(definition, 'utf8').includes(': three'))
  await eventually('the newest to run', () => lab.lines('diary').filter(line => line.startsWith('start')).length >= 2)
  await controller.ready('web')
  const words = lab.lines('diary').map(line => line.split(' ')[0])
  expect(words.filter(word => word === 'stop')).toHaveLength(words.filter(word => word === 'start').length - 1)
})

test.concurrent('E15: while a controller runs, other writers are refused and told who holds the lock', async () => {
  await using lab = createEngineLab({ configuration: slow })
  lab.declare('web', { process: longRun() })
  const controller = await lab.run()
  await controller.ready('web')
  const said = new RegExp(`another Reeve \\(pid ${process.pid}, .reeve `)
  await expect(lab.apply()).rejects.toThrow(said)
  await expect(lab.run()).rejects.toThrow(said)
  await controller.stop()
  expect((await lab.apply()).stepsDone).toBe(0)
})

test.concurrent('E16: the controller ends within 5 s despite a slow step and a hanging supervisor, and touches no service', async () => {
  const meddled = createMeddledProvider()
  await using lab = createEngineLab({ configuration: quick, providers: [meddled.provider] })
  lab.declare('web', { process: longRun() })
  const stubborn = { ...diary('slow', lab.path('diary'), { stopping: 20 }), stop: { timeout: '1m' } }
  lab.declare('slow', { process: stubborn })
  const controller = await lab.run()
  const { pid } = await controller.ready('web')
  const slowOne = await controller.ready('slow')
  lab.declare('slow', { process: stubborn, state: 'stopped' })
  await eventually('the stop to be under way', () =>
    controller.events.some(event => event.type === 'step-started' && event.step.verb === 'stop'),
  )
  let isHanging = false
  meddled.look = () => {
    isHanging = true
    return new Promise(() => {})
  }
  await eventually('a pass to hang', () => isHanging)
  const began = Date.now()
  await controller.stop()
  expect(Date.now() - began).toBeLessThan(5_000)
  meddled.look = () => {}
  expect(isAlive(pid ?? 0)).toBe(true)
  expect(isAlive(slowOne.pid ?? 0)).toBe(true)
  const next = await lab.run()
  expect((await next.ready('web')).pid).toBe(pid)
})

test.concurrent('E5: a hanging supervisor delays only its own facilities', { timeout: 90_000 }, async () => {
  const meddled = createMeddledProvider()
  let asked = 0
  const hanging = {
    ...withObserver(meddled.provider, () => ({
      probe() {
        asked += 1
        return new Promise<never>(() => {})
      },
    })),
    type: 'hanging',
  }
  await using lab = createEngineLab({ configuration: quick, providers: [meddled.provider, hanging] })
  lab.write(
    'hanging.yaml',
    JSON.stringify({
      apiVersion: 'reeve/v1',
      kind: 'Supervisor',
      metadata: { name: 'stuck' },
      spec: { type: 'hanging' },
    }),
  )
  lab.declare('web', { process: longRun() })
  lab.declare('lost', { supervisor: 'stuck', process: longRun() })
  const controller = await lab.run()
  await eventually(
    'web to be ready all the same',
    async () => conditionOf(await controller.status('web'), 'Ready') === 'True',
  )
  // It is not asked again; `hanging-supervisor.test.ts` has the times.
  const before = asked
  lab.declare('web', { process: longRun(1) })
  await eventually('web to be changed', () => controller.steps().includes('web/restart'))
  expect(asked).toBe(before)
  expect(conditionOf(await controller.status('lost'), 'Ready')).not.toBe('True')
  expect(reasonOf(await controller.status('lost'), 'Stalled')).toBe('Blocked')
})

test.concurrent('a supervisor killed by SIGKILL is restarted by the controller without touching the services', async () => {
  await using lab = createEngineLab({ configuration: slow })
  lab.declare('web', { process: longRun() })
  lab.declare('db', { process: longRun() })
  const controller = await lab.run()
  const { pid } = await controller.ready('web')
  const db = await controller.ready('db')
  const supervisor = findSupervisorPid(lab.supervisorDirectory) ?? 0
  process.kill(supervisor, 'SIGKILL')
  await eventually('another one to supervise', () => {
    const now = findSupervisorPid(lab.supervisorDirectory)
    return now !== undefined && now !== supervisor
  })
  expect((await controller.ready('web')).pid).toBe(pid)
  expect((await controller.ready('db')).pid).toBe(db.pid)
  expect(controller.steps().filter(id => id.endsWith('restart'))).toEqual([])
})

test.concurrent('PITFALLS 14: a service that did not come up is not reported as a success', async () => {
  await using lab = createEngineLab()
  lab.declare('missing', { process: { command: ['/no/such/program'] } })
  lab.declare('short', { process: { command: ['/bin/false'] } })
  lab.declare('sick', { process: longRun(), health: healthyWith(lab, 'never', { startupTimeout: '1s' }) })
  lab.declare('after', { process: longRun(), dependsOn: ['sick'] })
  lab.declare('web', { process: longRun() })
  const { failed, notReady } = await lab.apply()
  const names = [...failed, ...notReady].map(({ facility }) => facility).sort()
  expect(names).toEqual(['after', 'missing', 'short', 'sick'])
  expect(failed.find(({ facility }) => facility === 'after')?.message).toContain('sick did not become ready')
})

test.concurrent('PITFALLS 15: a lasting error is logged once, and so is its end', async () => {
  await using lab = createEngineLab({ configuration: quick })
  lab.declare('web', { process: longRun() })
  const controller = await lab.run()
  await controller.ready('web')
  lab.write('web.yaml', 'half: [written')
  const passes = async (): Promise<string> => (await controller.control.status()).controller?.lastPass ?? ''
  for (let i = 0; i < 4; i += 1) {
    const before = await passes()
    await eventually('another pass', async () => (await passes()) !== before)
  }
  expect(controller.log.filter(({ level }) => level === 'error')).toHaveLength(1)
  lab.declare('web', { process: longRun() })
  await eventually('the end to be told', () =>
    controller.log.some(({ message }) => message === 'all manifests are valid again'),
  )
  expect(controller.log.filter(({ level }) => level === 'error')).toHaveLength(1)
})

test.concurrent('E7: facilities of an unreadable supervisor are unknown, get no step, and resume when it is back', async () => {
  await using lab = createEngineLab({ configuration: quick })
  lab.declare('web', { process: longRun() })
  const controller = await lab.run()
  const { pid } = await controller.ready('web')
  const supervisor = findSupervisorPid(lab.supervisorDirectory) ?? 0
  process.kill(supervisor, 'SIGSTOP')
  await eventually('its state to be unknown', async () => (await controller.status('web'))?.state === 'unknown')
  const status = await controller.status('web')
  expect([status?.pid, reasonOf(status, 'Stalled')]).toEqual([null, 'Blocked'])
  const { controller: said } = await controller.control.status()
  expect(said?.problems.join()).toContain(`kill -CONT ${supervisor}`)
  process.kill(supervisor, 'SIGCONT')
  expect((await controller.ready('web')).pid).toBe(pid)
  expect(controller.steps()).toEqual(['web/install', 'web/enable', 'web/start'])
})

test.concurrent('a suspended facility is not pruned until it is resumed', async () => {
  await using lab = createEngineLab({ configuration: quick })
  lab.declare('web', { process: longRun() })
  const controller = await lab.run()
  const { pid } = await controller.ready('web')
  await controller.control.suspend('web')
  lab.withdraw('web')
  await eventually(
    'it to be undeclared',
    async () => reasonOf(await controller.status('web'), 'Ready') === 'Undeclared',
  )
  expect(stepsOf(await lab.plan())).toEqual([])
  expect(reasonOf(await controller.status('web'), 'Reconciling')).toBe('Suspended')
  await controller.control.resume('web')
  await eventually('it to be removed', () => controller.steps().includes('web/remove'))
  expect(isAlive(pid ?? 0)).toBe(false)
  expect(controller.steps().slice(-2)).toEqual(['web/stop', 'web/remove'])
})

test.concurrent('an edit on the host right after a manifest change is drift, and the history says so', async ({
  expect,
}) => {
  await using lab = createEngineLab()
  const definition = `${lab.supervisorDirectory}/definitions/web.json`
  lab.declare('web', { process: longRun() })
  let isEdited = false
  const controller = await lab.run({
    listener(event) {
      if (isEdited || event.type !== 'step-finished' || event.step.verb !== 'restart') return
      isEdited = true
      writeFileSync(definition, readFileSync(definition, 'utf8').replace('"always"', '"never"'))
    },
  })
  await controller.ready('web')
  lab.declare('web', { process: longRun(1) })
  await eventually(
    'it to be edited and put back',
    () => controller.steps().filter(id => id === 'web/install').length === 3,
  )
  const reasons = lab.history().flatMap(({ verb, reason }) => (verb === 'install' ? reason : []))
  expect(reasons).toEqual(['new', 'definition-changed', 'definition-drift'])
})
