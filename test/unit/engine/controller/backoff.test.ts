import { expect, test } from 'vitest'
import { createEngineWorld } from '../../../simulation/engine-world.ts'

const run = (mark = 1): object => ({ process: { command: ['/bin/sleep', String(mark)] } })

test('E11: a failing step is retried with growing delays, the facility becomes Stalled, and a new manifest resets it', async () => {
  await using world = await createEngineWorld()
  world.declare('web', run(), true)
  world.declare('db', run(), true)
  await world.clock.advance(10_000)
  const tries: number[] = []
  world.meddled.before = ({ id }) => {
    if (id !== 'web/restart') return
    tries.push(world.clock.elapsed())
    throw new Error('no luck')
  }
  world.declare('web', run(2), true)
  await world.clock.advance(60_000)
  const gaps = tries.slice(1).map((at, index) => at - (tries[index] ?? 0))
  expect(gaps.length).toBeGreaterThan(3)
  for (const [index, gap] of gaps.entries()) {
    // A second, then twice as long each time, plus or minus a fifth.
    expect(gap).toBeGreaterThanOrEqual(800 * 2 ** index)
    expect(gap).toBeLessThanOrEqual(1_300 * 2 ** index)
  }
  expect(world.condition('web', 'Stalled')).toMatchObject({
    status: 'True',
    message: expect.stringContaining('no luck'),
  })
  expect(world.condition('db', 'Ready')?.status).toBe('True')

  world.meddled.before = () => {}
  world.declare('web', run(3), true)
  await world.clock.advance(3_000)
  expect(world.condition('web', 'Ready')?.status).toBe('True')
  expect(world.condition('web', 'Stalled')?.status).toBe('False')
})

test('E11: a step that is due again and again is repeated with pauses', async () => {
  await using world = await createEngineWorld()
  // The supervisor reports a start, and then a stopped service.
  world.meddled.bend = ({ pid: _pid, loaded: _loaded, ...observed }) =>
    observed.state === 'running' ? { ...observed, state: 'stopped' } : observed
  world.declare('web', run(), true)
  await world.clock.advance(60_000)
  expect(world.condition('web', 'Stalled')?.status).toBe('True')
  const starts = world.acts.filter(({ verb }) => verb === 'start').length
  expect(starts).toBeGreaterThan(2)
  expect(starts).toBeLessThanOrEqual(10)
})
