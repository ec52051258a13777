import { existsSync } from 'node:fs'
import { expect, test } from 'vitest'
import type { EngineEvent } from '../../../../src/core/contracts/engine-event.ts'
import { planOf, stepsDone, stepsOf } from '../../../labs/engine-lab.ts'
import { createEngineWorld, type EngineWorld } from '../../../simulation/engine-world.ts'

const run = (mark = 1): object => ({ process: { command: ['/bin/sleep', String(mark)] } })
const health = (name: string): object => ({
  health: { exec: { command: ['/bin/true', name] }, interval: '1s', startupTimeout: '20s' },
})

/** Host on which these are applied. */
async function openWorld(specs: Readonly<Record<string, object>>): Promise<EngineWorld> {
  const world = await createEngineWorld({ isRunning: false })
  for (const [name, spec] of Object.entries(specs)) world.declare(name, spec, false)
  expect(await world.apply()).toMatchObject({ failed: [], notReady: [] })
  return world
}

/** The service answers its health check a while after its start. */
function startSlowly({ programs, clock }: EngineWorld, name: string): void {
  programs.troubles.set(name, 'hangs')
  clock.after(8_000, () => programs.troubles.delete(name))
}

test('E13: a restarted dependency is ready again before its dependents are restarted', async () => {
  await using world = await openWorld({ web: { ...run(), dependsOn: ['db'] }, db: run() })
  world.declare('web', { ...run(2), dependsOn: ['db'] }, false)
  world.declare('db', { ...run(2), ...health('db') }, false)
  startSlowly(world, 'db')
  const answers: boolean[] = []
  const outcome = await world.apply({
    listener(event) {
      if (event.type === 'step-started' && event.step.id === 'web/restart') answers.push(world.programs.answers('db'))
    },
  })
  expect(outcome).toMatchObject({ failed: [], notReady: [] })
  expect(answers).toEqual([true])
})

test('E13: a removal does not overtake the failed stop of a dependent', async () => {
  await using world = await openWorld({ web: { ...run(), dependsOn: ['db'] }, db: run() })
  for (const name of ['web', 'db']) world.declare(name, undefined, false)
  world.meddled.before = ({ id }) => {
    if (id === 'web/stop') throw new Error('no luck')
  }
  const events: EngineEvent[] = []
  const outcome = await world.apply({ allowRemovals: 2, listener: event => events.push(event) })
  expect(outcome.failed.map(({ facility }) => facility).sort()).toEqual(['db', 'web'])
  expect(stepsDone(events)).toEqual([])
  expect(world.pid('db')).toBeDefined()
})

test('E5: a slow stop and a slow health check delay only their dependents', async () => {
  await using world = await openWorld({ slow: run() })
  world.declare('slow', run(2), false)
  world.declare('sick', { ...run(3), ...health('sick') }, false)
  world.declare('after', { ...run(4), dependsOn: ['slow'] }, false)
  world.declare('other', run(5), false)
  startSlowly(world, 'sick')
  world.meddled.before = ({ id }) => (id === 'slow/restart' ? world.clock.sleep(4_000) : undefined)
  const events: EngineEvent[] = []
  await world.apply({ listener: event => events.push(event) })
  expect(stepsDone(events).filter(id => !/\/(?:install|enable)$/.test(id))).toEqual([
    'other/start',
    'sick/start',
    'slow/restart',
    'after/start',
  ])
})

/** The service of `web` under the supervisor `beta` cannot be started. */
function failElsewhere({ meddled }: EngineWorld): void {
  meddled.before = ({ id }) => {
    if (id === 'web/start') throw new Error('no luck')
  }
}

const moved = { ...run(), supervisor: 'beta' }
const isEnabled = ({ supervisor, directory }: EngineWorld, at: string): boolean | undefined =>
  supervisor.services.get(`${directory(at)}/web`)?.enabled

test('E14: if the new service does not come up, the old one is restored and runs, alone at the next boot too', async () => {
  await using world = await openWorld({ web: run() })
  world.declare('web', moved, false)
  failElsewhere(world)
  const events: EngineEvent[] = []
  const outcome = await world.apply({ listener: event => events.push(event) })
  expect(outcome.failed).toEqual([
    { facility: 'web', message: expect.stringContaining('the move failed, and alpha/web runs again') },
  ])
  const rollback = planOf(outcome.plan, 'web')?.rollback
  expect(rollback?.to).toEqual({ supervisor: 'alpha', service: 'web' })
  const finished = events.flatMap(event => (event.type === 'step-finished' ? [event.step] : []))
  expect(finished.slice(-3)).toEqual(rollback?.steps)
  const pid = world.pid('web')
  expect(pid).toBeDefined()
  expect([isEnabled(world, 'alpha'), isEnabled(world, 'beta')]).toEqual([true, false])

  // The old manifest again: leftovers of the move are removed, and the running service continues.
  world.declare('web', run(), false)
  expect((await world.apply()).failed).toEqual([])
  expect(world.pid('web')).toBe(pid)
  expect(existsSync(`${world.directory('beta')}/web.json`)).toBe(false)
  expect(stepsOf(await world.plan())).toEqual([])
})

test('E14: the controller restores the old service as well, reports it, and does not move again at once', async () => {
  await using world = await createEngineWorld()
  world.declare('web', run(), true)
  await world.clock.advance(10_000)
  failElsewhere(world)
  world.declare('web', moved, true)
  await world.clock.advance(120_000)
  const countOf = (id: string): number => stepsDone(world.events).filter(one => one === id).length
  expect([countOf('web/stop@alpha/web'), countOf('web/start@alpha/web')]).toEqual([1, 1])
  expect(world.condition('web', 'Reconciling')?.message).toContain('the move failed, and alpha/web runs again')
  const elsewhere = { supervisor: 'alpha', service: 'web', state: 'running', pid: world.pid('web') }
  expect(world.facility('web')?.elsewhere).toEqual([elsewhere])
  world.declare('web', run(), true)
  await world.clock.advance(10_000)
  expect(world.condition('web', 'Ready')?.status).toBe('True')
})

test('E14, E4: a move cut off after its stop, whose new service fails, is rolled back too', async () => {
  await using world = await openWorld({ web: run() })
  world.declare('web', moved, false)
  failElsewhere(world)
  const ending = new AbortController()
  await world.apply({
    signal: ending.signal,
    listener(event) {
      if (event.type === 'step-finished' && event.step.id === 'web/stop@alpha/web') ending.abort()
    },
  })
  expect(world.pid('web')).toBeUndefined()
  expect((await world.apply()).failed).toHaveLength(1)
  expect(world.pid('web')).toBeDefined()
})
