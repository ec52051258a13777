import { expect, test } from 'vitest'
import { createEngineWorld } from '../../../simulation/engine-world.ts'

test('E21: a service whose conflict with another is dropped goes on, even if its definition cannot be replaced', async () => {
  await using world = await createEngineWorld({ isRunning: false })
  const declare = (state: string, conflict: readonly string[]): void => {
    world.declare('first', { state, enabled: false, process: { command: ['/bin/sleep', '2'] } }, false)
    world.declare('second', { process: { command: ['/bin/sleep', '1', ...conflict] }, onChange: 'none' }, false)
  }
  declare('stopped', ['conflicts=first'])
  await world.apply()
  const before = world.pid('second')
  expect(before).toBeDefined()

  declare('running', [])
  world.meddled.before = ({ verb }) => {
    if (verb === 'install') throw new Error('the disk is full')
  }
  await world.apply()
  expect(world.pid('second')).toBe(before)
  expect(world.pid('first')).toBeUndefined()

  world.meddled.before = () => {}
  await world.apply()
  expect(world.pid('second')).toBe(before)
  expect(world.pid('first')).toBeDefined()
})
