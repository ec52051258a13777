import { readFileSync, rmSync } from 'node:fs'
import { test } from 'vitest'
import { eventually } from '../../../src/conformance/eventually.ts'
import { snapshot } from '../../../src/conformance/lab.ts'
import type { EngineEvent } from '../../../src/core/contracts/engine-event.ts'
import { createDirectControl } from '../../../src/engine/control/direct-control.ts'
import { createClock } from '../../../src/host/clock.ts'
import { createEngineLab, longRun, stepsDone, stepsOf } from '../../labs/engine-lab.ts'

test.concurrent('E3: a second apply makes no step, touches no file and restarts nothing', async ({ expect }) => {
  await using lab = createEngineLab()
  lab.declare('db', { process: longRun() })
  const files = [{ path: lab.path('web.conf'), content: 'one\n' }]
  lab.declare('web', { process: longRun(), files, dependsOn: ['db'] })
  lab.declare('idle', { process: longRun(), state: 'stopped', enabled: false })
  await lab.apply()
  const before = [await lab.observe('db'), await lab.observe('web')]
  const files1 = filesBut(lab.stateDirectory, lab.directory)
  const again = await lab.apply()
  expect(stepsOf(again.plan)).toEqual([])
  expect(again.stepsDone).toBe(0)
  expect(filesBut(lab.stateDirectory, lab.directory)).toEqual(files1)
  expect([await lab.observe('db'), await lab.observe('web')]).toEqual(before)
})

/** All files of the host, except the claims of the writer's lock. */
function filesBut(state: string, directory: string): Map<string, string> {
  const found = snapshot([directory])
  for (const path of found.keys()) if (path.startsWith(`${state}/lock`)) found.delete(path)
  return found
}

test.concurrent('E17: apply executes exactly the steps of the plan, and so says the history', async ({ expect }) => {
  await using lab = createEngineLab()
  const other = lab.declareSupervisor('other')
  const conf = (content: string) => [{ path: lab.path('web.conf'), content }]
  const revisions: (() => void)[] = [
    () => {
      lab.declare('db', { process: longRun() })
      lab.declare('web', { process: longRun(), files: conf('one\n'), dependsOn: ['db'] })
      lab.declare('extra', { process: longRun(), state: 'stopped' })
    },
    () => lab.declare('db', { process: longRun(1) }),
    () => lab.declare('web', { process: longRun(), files: conf('two\n'), dependsOn: ['db'], enabled: false }),
    () => lab.declare('web', { process: longRun(), state: 'stopped', dependsOn: ['db'] }),
    () => lab.declare('db', { supervisor: 'other', process: longRun(1) }),
    () => lab.withdraw('extra'),
  ]
  for (const revise of revisions) {
    revise()
    const planned = await lab.plan()
    expect(stepsOf(planned)).not.toEqual([])
    const events: EngineEvent[] = []
    const seen = lab.history().length
    const outcome = await lab.apply({ listener: event => events.push(event) })
    expect(outcome.plan).toEqual(planned)
    expect({ failed: outcome.failed, notReady: outcome.notReady }).toEqual({ failed: [], notReady: [] })
    const order = stepsDone(events)
    expect([...order].sort()).toEqual(stepsOf(planned).sort())
    const steps = new Map(planned.facilities.flatMap(facility => facility.steps.map(step => [step.id, step])))
    for (const [index, id] of order.entries()) {
      for (const need of steps.get(id)?.needs ?? []) expect(order.slice(0, index)).toContain(need)
    }
    const history = lab.history().slice(seen)
    expect(history.map(({ step, result, reason }) => [step, result, reason])).toEqual(
      order.map(id => [id, 'done', steps.get(id)?.reason]),
    )
    expect(stepsOf(await lab.plan())).toEqual([])
  }
  expect(other).toBe(lab.path('supervisor-other'))
})

test.concurrent('E12: onChange decides whether a changed file restarts, reloads or does nothing', async ({
  expect,
}) => {
  await using lab = createEngineLab()
  const script = `trap 'echo reload >> ${lab.path('diary')}' HUP; echo start >> ${lab.path('diary')}; while :; do sleep 0.02; done`
  const process = { command: ['/bin/sh', '-c', script], reload: { signal: 'HUP' } }
  const declare = (content: Record<string, string>) =>
    lab.declare('web', {
      process,
      files: ['restart', 'reload', 'none'].map(onChange => ({
        path: lab.path(`${onChange}.conf`),
        content: content[onChange] ?? 'one\n',
        onChange,
      })),
    })
  declare({})
  await lab.apply()
  await eventually('its start', () => lab.lines('diary').length === 1)
  expect(lab.lines('diary')).toEqual(['start'])
  const first = await lab.observe('web')

  declare({ none: 'two\n' })
  await lab.apply()
  expect(readFileSync(lab.path('none.conf'), 'utf8')).toBe('two\n')
  expect((await lab.observe('web')).pid).toBe(first.pid)
  expect(lab.lines('diary')).toEqual(['start'])

  declare({ none: 'two\n', reload: 'two\n' })
  await lab.apply()
  await eventually('its reload', () => lab.lines('diary').length === 2)
  expect(lab.lines('diary')).toEqual(['start', 'reload'])
  expect((await lab.observe('web')).pid).toBe(first.pid)

  declare({ none: 'two\n', reload: 'three\n', restart: 'two\n' })
  await lab.apply()
  await eventually('its restart', () => lab.lines('diary').length === 3)
  expect(lab.lines('diary')).toEqual(['start', 'reload', 'start'])
  expect((await lab.observe('web')).pid).not.toBe(first.pid)
  expect(stepsOf(await lab.plan())).toEqual([])
})

test.concurrent('E18: without the state directory a change is still applied', async ({ expect }) => {
  await using lab = createEngineLab()
  lab.declareSupervisor('other')
  lab.declare('web', { process: longRun() })
  lab.declare('db', { process: longRun() })
  await lab.apply()
  const before = await lab.observe('web')
  rmSync(lab.stateDirectory, { recursive: true })
  lab.declare('web', { process: longRun(1) })
  lab.declare('db', { supervisor: 'other', process: longRun() })
  const outcome = await lab.apply()
  expect(outcome.failed).toEqual([])
  expect(stepsOf(outcome.plan)).toEqual([
    'db/install',
    'db/enable',
    'db/stop@lab/db',
    'db/start',
    'db/remove@lab/db',
    'web/install',
    'web/restart',
  ])
  expect((await lab.observe('web')).pid).not.toBe(before.pid)
  expect(stepsOf(await lab.plan())).toEqual([])
})

test.concurrent('without a controller, a repeated status shows since when a condition holds', async ({ expect }) => {
  await using lab = createEngineLab()
  lab.declare('web', { process: longRun() })
  const clock = { ...createClock(), now: () => now }
  let now = Date.parse('2026-01-02T12:00:00.000Z')
  const control = createDirectControl(await lab.open({ clock }))
  const before = await control.status()
  expect(before.facilities[0]?.conditions[0]).toMatchObject({ status: 'False', since: '2026-01-02T12:00:00.000Z' })
  now += 60_000
  expect(await control.status()).toEqual(before)
  expect(await control.status('web')).toEqual(before)
  await lab.apply()
  const after = (await control.status('web')).facilities[0]?.conditions ?? []
  expect(after.map(({ type, since }) => `${type} ${since}`)).toEqual([
    'Ready 2026-01-02T12:01:00.000Z',
    'Reconciling 2026-01-02T12:00:00.000Z',
    'Stalled 2026-01-02T12:00:00.000Z',
    'CrashLooping 2026-01-02T12:00:00.000Z',
  ])
})
