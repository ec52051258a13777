import { expect, test, vi } from 'vitest'
import { eventually } from '../../../src/conformance/eventually.ts'
import { isAlive } from '../../../src/conformance/lab.ts'
import type { ApplyOutcome } from '../../../src/core/contracts/apply-outcome.ts'
import type { PassWays } from '../../../src/core/contracts/control.ts'
import type { EngineEvent, EngineListener } from '../../../src/core/contracts/engine-event.ts'
import type { Action } from '../../../src/core/contracts/provider.ts'
import { settingsOf } from '../../../src/engine/session/settings.ts'
import {
  createEngineLab,
  type EngineLab,
  healthyWith,
  longRun,
  type RunningController,
  reasonOf,
  stepsDone,
  stepsOf,
} from '../../labs/engine-lab.ts'
import { createMeddledProvider } from '../../tools/meddled-provider.ts'

vi.setConfig({ testTimeout: 60_000 })

const quick = 'resync: 1s'

function waysFor(controller: RunningController, listener: EngineListener = () => {}): PassWays {
  return { signal: new AbortController().signal, listener, settings: settingsOf(controller.session, true) }
}

/** Controller that refuses to remove a, b and c, whose manifests are gone; d stays. */
async function runRefusing(lab: EngineLab): Promise<RunningController> {
  for (const name of ['a', 'b', 'c', 'd']) lab.declare(name, { process: longRun() })
  const controller = await lab.run()
  for (const name of ['a', 'b', 'c', 'd']) await controller.ready(name)
  for (const name of ['a', 'b', 'c']) lab.withdraw(name)
  await eventually('the removal to be refused', () => refusals(controller) === 1)
  return controller
}

function refusals({ log }: RunningController): number {
  return log.filter(({ message }) => message.includes('owned facilities would be removed')).length
}

const well = (outcome: ApplyOutcome): void =>
  expect([outcome.failed, outcome.notReady, outcome.undone]).toEqual([[], [], []])

test.concurrent('E9: a controller removes what it refused to once a person allows it', async () => {
  await using lab = createEngineLab({ configuration: quick })
  const controller = await runRefusing(lab)
  const pids = await Promise.all(['a', 'b', 'c', 'd'].map(async name => (await lab.observe(name)).pid ?? 0))
  const refused = { code: 'refused', message: expect.stringContaining('--allow-removals 3') }
  await expect(controller.control.apply({}, waysFor(controller))).rejects.toMatchObject(refused)
  await expect(controller.control.apply({ allowRemovals: 2 }, waysFor(controller))).rejects.toMatchObject(refused)
  expect(pids.map(isAlive)).toEqual([true, true, true, true])

  const events: EngineEvent[] = []
  const outcome = await controller.control.apply(
    { allowRemovals: 3 },
    waysFor(controller, event => events.push(event)),
  )
  well(outcome)
  expect(outcome.plan.summary).toMatchObject({ remove: 3, unchanged: 1 })
  expect(outcome.stepsDone).toBe(6)
  expect(stepsDone(events).toSorted()).toEqual(['a/remove', 'a/stop', 'b/remove', 'b/stop', 'c/remove', 'c/stop'])
  expect(pids.map(isAlive)).toEqual([false, false, false, true])
  expect(lab.history().at(-1)).toMatchObject({ verb: 'remove', reason: 'pruned', trigger: 'apply' })
  const { controller: said } = await controller.control.status()
  expect(said?.problems).toEqual([])
  expect(refusals(controller)).toBe(1)
})

test.concurrent('down removes facilities without a manifest, and none that the controller would restore', async () => {
  await using lab = createEngineLab({ configuration: quick })
  const controller = await runRefusing(lab)
  const { control } = controller
  const names = ['a', 'b', 'c']
  for (const all of [[], ['a', 'd']]) {
    const refused = { code: 'refused', message: expect.stringMatching(/bring d back.*reeve stop d --suspend/) }
    await expect(control.planDown(all)).rejects.toMatchObject(refused)
    await expect(control.down(all, waysFor(controller))).rejects.toMatchObject(refused)
  }
  await expect(control.down(['a', 'nobody'], waysFor(controller))).rejects.toMatchObject({ code: 'not-found' })
  expect(stepsOf(await control.planDown(names))).toEqual(names.flatMap(name => [`${name}/stop`, `${name}/remove`]))
  expect((await lab.observe('a')).state).toBe('running')
  const outcome = await control.down(names, waysFor(controller))
  well(outcome)
  expect(outcome.stepsDone).toBe(6)
  expect(await Promise.all(names.map(async name => (await lab.observe(name)).state))).toEqual([
    'absent',
    'absent',
    'absent',
  ])
  expect(lab.history().at(-1)).toMatchObject({ verb: 'remove', reason: 'requested', trigger: 'down' })
  lab.withdraw('d')
  well(await control.down([], waysFor(controller)))
  expect((await lab.observe('d')).state).toBe('absent')
})

test.concurrent('down removes the state of what it removes', async () => {
  await using lab = createEngineLab({ configuration: quick })
  lab.declare('a', { process: longRun() })
  lab.declare('d', { process: longRun() })
  const controller = await lab.run()
  await controller.ready('a')
  await controller.control.suspend('a')
  lab.withdraw('a')
  await eventually('it to be left alone', async () => (await controller.status('a'))?.conditions.length !== 0)
  well(await controller.control.down(['a'], waysFor(controller)))
  lab.declare('a', { process: longRun() })
  await controller.ready('a')
})

test.concurrent('apply through the controller ignores a backoff, and prints what reeve apply prints without one', async () => {
  const meddled = createMeddledProvider()
  await using lab = createEngineLab({ configuration: 'resync: 1h', providers: [meddled.provider] })
  const goesWrong = ({ id }: Action): void => {
    if (id === 'web/start') throw new Error('no luck')
  }
  meddled.before = goesWrong
  lab.declare('web', { process: longRun() })
  lab.declare('sick', { process: longRun(), health: healthyWith(lab, 'never', { startupTimeout: '1s' }) })
  const controller = await lab.run()
  const isFailing = async (): Promise<boolean> => reasonOf(await controller.status('web'), 'Stalled') === 'Failing'
  await eventually('it to have failed often', isFailing)
  const failed = await controller.control.apply({}, waysFor(controller))
  expect(failed.failed.map(({ facility }) => facility)).toEqual(['web'])
  expect(failed.notReady.map(({ facility }) => facility)).toEqual(['sick'])

  lab.withdraw('sick')
  meddled.before = () => {}
  await expect(controller.control.apply({ saved: { digest: '0' } }, waysFor(controller))).rejects.toMatchObject({
    code: 'stale-plan',
  })
  const outcome = await controller.control.apply({}, waysFor(controller))
  well(outcome)
  expect((await lab.observe('web')).state).toBe('running')
  expect((await lab.observe('sick')).state).toBe('absent')
  const again = await controller.control.apply({}, waysFor(controller))
  expect(again.stepsDone).toBe(0)
  expect(stepsOf(again.plan)).toEqual([])
})

test.concurrent('a saved plan is applied through a controller too', async () => {
  await using lab = createEngineLab({ configuration: 'resync: 1h' })
  lab.declare('web', { process: longRun(), suspend: true })
  lab.declare('db', { process: longRun() })
  const controller = await lab.run()
  await controller.ready('db')
  const { digest } = await lab.plan()
  well(await controller.control.apply({ saved: { digest } }, waysFor(controller)))
})

test.concurrent('E10: an invalid manifest is reported and changes nothing', async () => {
  await using lab = createEngineLab({ configuration: quick })
  const controller = await runRefusing(lab)
  lab.write('broken.yaml', 'kind: Facility\n')
  const outcome = await controller.control.apply({ allowRemovals: 3 }, waysFor(controller))
  expect(outcome.plan.diagnostics.length).toBeGreaterThan(0)
  expect(outcome.stepsDone).toBe(0)
  expect((await lab.observe('a')).state).toBe('running')
})

test.concurrent("settings that differ from the controller's are refused, each by name", async () => {
  await using lab = createEngineLab({ configuration: quick })
  const controller = await runRefusing(lab)
  const { settings, ...ways } = waysFor(controller)
  const ask = (other: object): Promise<unknown> =>
    controller.control.apply({ allowRemovals: 3 }, { ...ways, settings: { ...settings, ...other } })
  await expect(ask({ manifests: '"/srv/other"' })).rejects.toMatchObject({
    code: 'refused',
    message: expect.stringMatching(
      /manifests is ".*manifests" there, and "\/srv\/other" here.*reeve apply \/.*manifests/,
    ),
  })
  await expect(ask({ owner: '"other"' })).rejects.toThrow(/owner is "default" there, and "other" here/)
  await expect(ask({ policy: JSON.stringify({ commands: ['/'.repeat(200)] }) })).rejects.toThrow(/policy differs/)
  await expect(controller.control.planDown(['a'], { owner: '"other"' })).rejects.toMatchObject({ code: 'refused' })
  expect((await lab.observe('a')).state).toBe('running')
})

test.concurrent('two simultaneous requests run one after the other, and the second finds no steps', async () => {
  await using lab = createEngineLab({ configuration: 'resync: 1h' })
  lab.declare('web', { process: longRun() })
  const controller = await lab.run()
  await controller.ready('web')
  lab.declare('web', { process: longRun(1) })
  const outcomes = await Promise.all([
    controller.control.apply({}, waysFor(controller)),
    controller.control.apply({}, waysFor(controller)),
  ])
  outcomes.forEach(well)
  expect(controller.steps().filter(id => id === 'web/restart')).toHaveLength(1)
})

test.concurrent('a client that disconnects before its turn gets nothing done; a pass that has begun continues', async () => {
  await using lab = createEngineLab({ configuration: 'resync: 1h' })
  const controller = await runRefusing(lab)
  lab.declare('slow', { process: longRun(), health: healthyWith(lab, 'well', { startupTimeout: '10m' }) })
  const first = new AbortController()
  const second = new AbortController()
  const begun = new Promise<void>(resolve => {
    const listener: EngineListener = event => {
      if (event.type === 'step-started' && event.step.id === 'slow/start') resolve()
    }
    const ways = { ...waysFor(controller, listener), signal: first.signal }
    controller.control.apply({ allowRemovals: 3 }, ways).catch(() => {})
  })
  await begun
  const waiting = controller.control.down(['a'], { ...waysFor(controller), signal: second.signal })
  second.abort()
  await expect(waiting).rejects.toMatchObject({ code: 'aborted' })
  first.abort()
  await eventually('what was begun to be done', () => controller.steps().includes('c/remove'))
  lab.write('../well', '')
  await controller.ready('slow')
  well(await controller.control.apply({}, waysFor(controller)))
})

test.concurrent('E16: a controller that ends answers waiting clients, and its services keep running', async () => {
  await using lab = createEngineLab({ configuration: 'resync: 1h' })
  lab.declare('db', { process: longRun() })
  const controller = await lab.run()
  await controller.ready('db')
  lab.declare('slow', { process: longRun(), health: healthyWith(lab, 'never', { startupTimeout: '10m' }) })
  let told = (): void => {}
  const waits = new Promise<void>(resolve => {
    told = resolve
  })
  const listener: EngineListener = event => {
    if (event.type === 'waiting' && event.until === 'slow to become ready') told()
  }
  const asking = controller.control.apply({}, waysFor(controller, listener)).catch((error: unknown) => error)
  await waits
  await controller.stop()
  expect(await asking).toMatchObject({
    code: expect.stringMatching(/aborted|unavailable/),
    message: expect.stringMatching(/run it again/),
  })
  expect((await lab.observe('slow')).state).toBe('running')
})

test.concurrent('a wait for a dependency that never becomes ready ends at its startup timeout', async () => {
  await using lab = createEngineLab({ configuration: 'resync: 1h' })
  lab.declare('db', { process: longRun() })
  const controller = await lab.run()
  await controller.ready('db')
  lab.declare('sick', { process: longRun(), health: healthyWith(lab, 'never', { startupTimeout: '1s' }) })
  lab.declare('needs', { process: longRun(), dependsOn: ['sick'] })
  const outcome = await controller.control.apply({}, waysFor(controller))
  expect(outcome.failed.map(({ facility }) => facility)).toEqual(['needs'])
  expect(outcome.notReady.map(({ facility }) => facility)).toEqual(['sick'])
  // The controller keeps waiting for it.
  lab.write('../never', '')
  await controller.ready('needs')
})
