import { expect, test } from 'vitest'
import { createReadHost } from '../../../../src/host/read-host.ts'
import { createEngineWorld } from '../../../simulation/engine-world.ts'

const run = (...words: string[]): object => ({ process: { command: ['/bin/sleep', ...words] } })

test('PITFALLS 14: a service that was ready for a moment, and crash-loops when apply ends, is not ready', async () => {
  await using world = await createEngineWorld({ isRunning: false })
  world.declare('web', { ...run('faulty'), readySeconds: 0.2 }, false)
  // By the time that this one is ready, the other has exited several times.
  world.declare('slow', { ...run('1'), readySeconds: 30 }, false)
  const ready: string[] = []
  const { failed, notReady } = await world.apply({
    listener: event => void (event.type === 'ready' && ready.push(event.facility)),
  })
  expect([failed, ready]).toEqual([[], ['web', 'slow']])
  expect(notReady).toEqual([{ facility: 'web', message: expect.stringMatching(/^crash loop/) }])
})

test('PITFALLS 15: a failed step is no longer reported once the service runs as declared', async () => {
  await using world = await createEngineWorld()
  world.meddled.before = ({ id }) => {
    if (id === 'web/start') throw new Error('no luck')
  }
  world.declare('web', run('1'), true)
  await world.clock.advance(30_000)
  expect(world.condition('web', 'Stalled')?.status).toBe('True')
  // Its supervisor starts it after all.
  await world.supervisor.boot(world.directory('alpha'), createReadHost())
  await world.clock.advance(5_000)
  expect(world.condition('web', 'Ready')?.status).toBe('True')
  expect(world.condition('web', 'Stalled')?.status).toBe('False')
  expect(world.condition('web', 'Reconciling')?.reason).toBe('AsDeclared')
})
