import { existsSync, rmSync } from 'node:fs'
import { expect, test } from 'vitest'
import { eventually } from '../../../src/conformance/eventually.ts'
import { isAlive } from '../../../src/conformance/lab.ts'
import type { EngineEvent } from '../../../src/core/contracts/engine-event.ts'
import {
  createEngineLab,
  diary,
  type EngineLab,
  longRun,
  planOf,
  type Spec,
  stepsDone,
  stepsOf,
} from '../../labs/engine-lab.ts'

/** `start db`, `stop web`, …, in the order of the times that the services wrote. */
function readDiary(lab: EngineLab): string[] {
  return lab
    .lines('diary')
    .map(line => line.split(' '))
    .sort(([, , left = ''], [, , right = '']) => (BigInt(left) < BigInt(right) ? -1 : 1))
    .map(([word, name]) => `${word} ${name}`)
}

/** Healthy from its third check on, which writes `healthy NAME NANOSECONDS`. */
function slowHealth(lab: EngineLab, name: string): Spec {
  const count = lab.path(`${name}.count`)
  const healthy = `echo healthy ${name} $(date +%s%N) >> ${lab.path('diary')}`
  const script = `echo x >> ${count}; [ $(wc -l < ${count}) -lt 3 ] && exit 1; [ $(wc -l < ${count}) -eq 3 ] && ${healthy}; exit 0`
  return { exec: { command: ['/bin/sh', '-c', script] }, interval: '1s', startupTimeout: '20s' }
}

test.concurrent('E13: a start follows the readiness of its dependency; stops and removals run in reverse', async () => {
  await using lab = createEngineLab()
  const log = lab.path('diary')
  lab.declare('web', { process: diary('web', log, { stopping: 0.2 }), dependsOn: ['app'] })
  lab.declare('app', { process: diary('app', log, { stopping: 0.2 }), dependsOn: ['db'] })
  lab.declare('db', { process: diary('db', log), health: slowHealth(lab, 'db') })
  await lab.apply()
  expect(readDiary(lab)).toEqual(['start db', 'healthy db', 'start app', 'start web'])

  rmSync(log)
  lab.declare('web', { process: diary('web', log, { stopping: 0.2 }), dependsOn: ['app'], state: 'stopped' })
  lab.declare('app', { process: diary('app', log, { stopping: 0.2 }), dependsOn: ['db'], state: 'stopped' })
  lab.declare('db', { process: diary('db', log), state: 'stopped' })
  await lab.apply()
  expect(readDiary(lab)).toEqual(['stop web', 'stop app', 'stop db'])

  for (const name of ['web', 'app', 'db']) {
    const dependsOn = { web: ['app'], app: ['db'], db: [] }[name]
    lab.declare(name, { process: diary(name, log, { stopping: 0.2 }), dependsOn })
  }
  await lab.apply()
  rmSync(log)
  for (const name of ['web', 'app', 'db']) lab.withdraw(name)
  const outcome = await lab.apply({ allowRemovals: 3 })
  expect(outcome.failed).toEqual([])
  expect(readDiary(lab)).toEqual(['stop web', 'stop app', 'stop db'])
})

test.concurrent('E13: a restarted dependency is ready again before its dependents are started', async () => {
  await using lab = createEngineLab()
  const log = lab.path('diary')
  lab.declare('web', { process: diary('web', log), dependsOn: ['db'] })
  lab.declare('db', { process: diary('db', log) })
  await lab.apply()
  rmSync(log)
  lab.declare('web', { process: diary('web', log, { mark: 'two' }), dependsOn: ['db'] })
  lab.declare('db', { process: diary('db', log, { mark: 'two' }), health: slowHealth(lab, 'db') })
  await lab.apply()
  expect(readDiary(lab)).toEqual(['stop db', 'start db', 'healthy db', 'stop web', 'start web'])
})

test.concurrent('E13: a removal does not overtake the failed stop of a dependent', async () => {
  await using lab = createEngineLab()
  // Its stop can't succeed in time: apply is interrupted.
  lab.declare('web', {
    process: { ...diary('web', lab.path('diary'), { stopping: 30 }), stop: { timeout: '1m' } },
    dependsOn: ['db'],
  })
  lab.declare('db', { process: longRun() })
  await lab.apply()
  lab.withdraw('web')
  lab.withdraw('db')
  const ending = new AbortController()
  const events: EngineEvent[] = []
  const outcome = await lab.apply({
    signal: ending.signal,
    listener(event) {
      events.push(event)
      if (event.type === 'step-started' && event.step.id === 'web/stop') setTimeout(() => ending.abort(), 300)
    },
  })
  expect(outcome.failed.map(({ facility }) => facility).sort()).toEqual(['db', 'web'])
  expect(stepsDone(events)).toEqual([])
  expect((await lab.observe('db')).state).toBe('running')
})

test.concurrent('E5: a slow stop and a slow health check delay only their dependents', async () => {
  await using lab = createEngineLab()
  lab.declare('slow', { process: diary('slow', lab.path('diary'), { stopping: 2 }) })
  await lab.apply()
  lab.declare('slow', { process: diary('slow', lab.path('diary'), { stopping: 2, mark: 'two' }) })
  lab.declare('sick', { process: longRun(), health: slowHealth(lab, 'sick') })
  lab.declare('after', { process: longRun(), dependsOn: ['slow'] })
  lab.declare('other', { process: longRun() })
  const events: EngineEvent[] = []
  await lab.apply({ listener: event => events.push(event) })
  const order = stepsDone(events)
  expect(order.indexOf('other/start')).toBeLessThan(order.indexOf('slow/restart'))
  expect(order.indexOf('slow/restart')).toBeLessThan(order.indexOf('after/start'))
  const ready = events.flatMap(event => (event.type === 'ready' ? [event.facility] : []))
  expect(ready.indexOf('other')).toBeLessThan(ready.indexOf('slow'))
})

test.concurrent('E14: a facility that moves to another supervisor stops there before it starts here', async () => {
  await using lab = createEngineLab()
  const other = lab.declareSupervisor('other')
  const log = lab.path('diary')
  lab.declare('web', { process: diary('web', log, { stopping: 0.2 }) })
  await lab.apply()
  const before = await lab.observe('web')
  lab.declare('web', { supervisor: 'other', process: diary('web', log, { stopping: 0.2 }) })
  const outcome = await lab.apply()
  expect(outcome.failed).toEqual([])
  expect(readDiary(lab)).toEqual(['start web', 'stop web', 'start web'])
  expect(isAlive(before.pid ?? 0)).toBe(false)
  expect(existsSync(`${lab.supervisorDirectory}/definitions/web.json`)).toBe(false)
  expect(existsSync(`${other}/definitions/web.json`)).toBe(true)
  expect((await lab.observe('web')).state).toBe('running')
  expect(stepsOf(await lab.plan())).toEqual([])
})

test.concurrent('E14: if the new service does not come up, the old one is restored and runs, alone at the next boot too', async () => {
  await using lab = createEngineLab()
  const other = lab.declareSupervisor('other')
  lab.declare('web', { process: longRun() })
  await lab.apply()
  lab.declare('web', { supervisor: 'other', process: { command: ['/bin/false'], restart: { policy: 'never' } } })
  const events: EngineEvent[] = []
  const outcome = await lab.apply({ listener: event => events.push(event) })
  expect(outcome.failed).toEqual([
    { facility: 'web', message: expect.stringContaining('the move failed, and lab/web runs again') },
  ])
  const rollback = planOf(outcome.plan, 'web')?.rollback
  expect(rollback?.to).toEqual({ supervisor: 'lab', service: 'web' })
  const finished = events.flatMap(event => (event.type === 'step-finished' ? [event.step] : []))
  expect(finished.slice(-3)).toEqual(rollback?.steps)
  lab.declare('web', { process: longRun() })
  const old = await lab.observe('web')
  expect([old.state, old.enabled]).toEqual(['running', true])
  expect(existsSync(`${other}/enabled/web`)).toBe(false)

  // The old manifest again: leftovers of the move are removed, and the running service continues.
  const back = await lab.apply()
  expect(back.failed).toEqual([])
  expect((await lab.observe('web')).pid).toBe(old.pid)
  expect(existsSync(`${other}/definitions/web.json`)).toBe(false)
})

test.concurrent('E14: the controller restores the old service as well, and reports it', async () => {
  await using lab = createEngineLab()
  lab.declareSupervisor('other')
  lab.declare('web', { process: longRun() })
  const controller = await lab.run()
  await controller.ready('web')
  lab.declare('web', {
    supervisor: 'other',
    process: longRun(1),
    health: { exec: { command: ['/bin/false'] }, interval: '1s', startupTimeout: '2s' },
  })
  await eventually('the old service to be put back', () => controller.steps().includes('web/start@lab/web'))
  expect(controller.steps().filter(id => id === 'web/start@lab/web')).toHaveLength(1)
  const message = (await controller.status('web'))?.conditions.find(({ type }) => type === 'Reconciling')?.message
  expect(message).toContain('the move failed, and lab/web runs again')
  const elsewhere = async () => (await controller.status('web'))?.elsewhere
  await eventually('it to be seen to run', async () => (await elsewhere())?.[0]?.state === 'running')
  expect(await elsewhere()).toEqual([{ supervisor: 'lab', service: 'web', state: 'running', pid: expect.any(Number) }])
  // Each attempt costs an outage, so the same one is not repeated at once.
  expect(controller.steps().filter(id => id === 'web/stop@lab/web')).toHaveLength(1)
  lab.declare('web', { process: longRun() })
  await controller.ready('web')
  expect((await lab.observe('web')).state).toBe('running')
})

test.concurrent('E14, E4: a move cut off after its stop, whose new service fails, is rolled back too', async () => {
  await using lab = createEngineLab()
  lab.declareSupervisor('other')
  lab.declare('web', { process: longRun() })
  await lab.apply()
  lab.declare('web', { supervisor: 'other', process: { command: ['/bin/false'], restart: { policy: 'never' } } })
  const ending = new AbortController()
  await lab.apply({
    signal: ending.signal,
    listener(event) {
      if (event.type === 'step-finished' && event.step.id === 'web/stop@lab/web') ending.abort()
    },
  })
  const outcome = await lab.apply()
  expect(outcome.failed).toHaveLength(1)
  lab.declare('web', { process: longRun() })
  expect((await lab.observe('web')).state).toBe('running')
})
