import { getEventListeners } from 'node:events'
import { expect, test } from 'vitest'
import type { Observed } from '../../../../src/core/state/observed.ts'
import { createReadinessWaits, type ReadinessWaits } from '../../../../src/engine/health/readiness-wait.ts'
import { makeFacility } from '../../../simulation/declaration.ts'
import { createHealthBench, health, observed } from '../../../simulation/health-bench.ts'
import { createManualClock } from '../../../tools/manual-clock.ts'

test('a wait observes for itself: an earlier observation may be of an older process', async () => {
  using bench = createHealthBench()
  bench.declare({ name: 'web' })
  bench.update(observed('running', 1))
  await bench.clock.advance(1_000)
  bench.update(observed('running', 1))
  expect(bench.tracker.readiness('web').ready).toBe(true)
  bench.states.set('web', observed('starting'))
  const wait = bench.wait('web', { bounded: false })
  await bench.clock.advance(1_000)
  expect(wait.outcome).toBe('waits')
  bench.states.set('web', observed('running', 2))
  await bench.clock.advance(2_600)
  expect(wait.outcome).toBe('ready')
})

test('E5: a silent supervisor delays only waits for its own services', async () => {
  using bench = createHealthBench()
  bench.declare({ name: 'stuck', supervisor: 'alpha' }, { name: 'web', supervisor: 'beta' })
  bench.hanging.add('alpha')
  bench.states.set('web', observed('running', 1))
  const stuck = bench.wait('stuck', { bounded: true })
  const web = bench.wait('web', { bounded: true })
  await bench.clock.advance(100)
  expect(web.outcome).toBe('ready')
  expect(stuck.outcome).toBe('waits')
  await bench.clock.advance(10_000)
  expect(stuck.outcome).toBe('the supervisor has not been asked yet')
})

test('E7: an unreadable supervisor makes its services unknown, and unknown is not ready', async () => {
  using bench = createHealthBench()
  bench.declare({ name: 'web' })
  const wait = bench.wait('web', { bounded: false })
  await bench.clock.advance(20_000)
  expect(wait.outcome).toBe('waits')
  expect(bench.tracker.readiness('web')).toMatchObject({
    ready: false,
    reason: 'Unknown',
    message: 'web cannot be seen',
  })
  bench.states.set('web', observed('running', 1))
  await bench.clock.advance(2_100)
  expect(wait.outcome).toBe('ready')
})

test('an unchanging service is observed ever more rarely, down to every 2 s', async () => {
  using bench = createHealthBench()
  bench.declare({ name: 'web' })
  bench.states.set('web', observed('starting'))
  const wait = bench.wait('web', { bounded: false })
  await bench.clock.advance(5_000)
  expect(bench.looks).toBeLessThanOrEqual(8)
  const before = bench.looks
  await bench.clock.advance(60_000)
  expect(bench.looks - before).toBe(30)
  expect(wait.outcome).toBe('waits')
})

test('an event of a service has it observed within 50 ms; an event of another has not', async () => {
  using bench = createHealthBench()
  bench.declare({ name: 'web' }, { name: 'db' })
  bench.states.set('web', observed('starting'))
  const wait = bench.wait('web', { bounded: false })
  await bench.clock.advance(10_100)
  const before = bench.looks
  bench.hint?.('db')
  await bench.clock.advance(60)
  expect(bench.looks).toBe(before)
  bench.states.set('web', observed('running', 1, bench.clock.now() - 10_000))
  bench.hint?.('web')
  await bench.clock.advance(60)
  expect(bench.looks).toBeGreaterThan(before)
  await bench.clock.advance(600)
  expect(wait.outcome).toBe('ready')
  await bench.clock.advance(2_000)
  expect(bench.hint, 'nobody listens any more').toBeUndefined()
})

test('a new wait is served at once, however long others have waited', async () => {
  using bench = createHealthBench()
  bench.declare({ name: 'web' }, { name: 'db' })
  bench.states.set('web', observed('starting'))
  bench.states.set('db', observed('running', 1))
  bench.wait('web', { bounded: false })
  await bench.clock.advance(20_100)
  const wait = bench.wait('db', { bounded: false })
  await bench.clock.advance(100)
  expect(wait.outcome).toBe('ready')
})

test('a bounded wait ends at the startup timeout and reports the last observation', async () => {
  using bench = createHealthBench()
  bench.declare({ name: 'web', health })
  bench.states.set('web', observed('running', 1))
  bench.answer = { healthy: false, message: 'http://127.0.0.1 answered 500' }
  const bounded = bench.wait('web', { bounded: true })
  const patient = bench.wait('web', { bounded: false })
  await bench.clock.advance(4_999)
  expect(bounded.outcome).toBe('waits')
  await bench.clock.advance(1)
  expect(bounded.outcome).toContain('answered 500')
  expect(patient.outcome).toBe('waits')
})

test('a bounded wait ends early if the service failed for good, but not in passing', async () => {
  using bench = createHealthBench()
  bench.declare({ name: 'web' })
  bench.states.set('web', observed('failed'))
  const passing = bench.wait('web', { bounded: true })
  await bench.clock.advance(500)
  bench.states.set('web', observed('starting'))
  await bench.clock.advance(1_000)
  expect(passing.outcome).toBe('waits')
  bench.states.set('web', observed('failed'))
  await bench.clock.advance(2_200)
  expect(passing.outcome).toBe('failed')
})

test('E13: a dependency that is declared stopped fails the wait', async () => {
  using bench = createHealthBench()
  bench.declare({ name: 'web', state: 'stopped' })
  bench.states.set('web', observed('stopped'))
  const serving = bench.wait('web', { bounded: false, serving: true })
  const plain = bench.wait('web', { bounded: true })
  await bench.clock.advance(100)
  expect([serving.outcome, plain.outcome]).toEqual(['it is declared stopped', 'ready'])
})

test('E13: a dependency that is stopped but declared running is waited for', async () => {
  using bench = createHealthBench()
  bench.declare({ name: 'web' })
  bench.states.set('web', observed('stopped'))
  const serving = bench.wait('web', { bounded: false, serving: true })
  await bench.clock.advance(100)
  expect(serving.outcome).toBe('waits')
  bench.states.set('web', observed('running', 1))
  await bench.clock.advance(1_000)
  expect(serving.outcome).toBe('ready')
})

test('a wait for a removed facility ends, and a wait for a moved one continues at the new place', async () => {
  using bench = createHealthBench()
  bench.declare({ name: 'web', supervisor: 'alpha' }, { name: 'db' })
  bench.hanging.add('alpha')
  const web = bench.wait('web', { bounded: false })
  const db = bench.wait('db', { bounded: false })
  bench.states.set('web', observed('running', 1))
  bench.declare({ name: 'web', supervisor: 'beta' })
  await bench.clock.advance(100)
  expect(db.outcome).toBe('there is no facility db any more')
  expect(web.outcome).toBe('ready')
})

test('a wait ends with its signal, and all waits end with the tracker', async () => {
  const bench = createHealthBench()
  bench.declare({ name: 'web' })
  bench.states.set('web', observed('starting'))
  const giveUp = new AbortController()
  const first = bench.wait('web', { bounded: false }, giveUp.signal)
  const second = bench.wait('web', { bounded: false })
  await bench.clock.advance(100)
  giveUp.abort(new Error('overtaken'))
  await bench.clock.advance(0)
  expect(first.outcome).toBe('overtaken')
  expect(second.outcome).toBe('waits')
  bench[Symbol.dispose]()
  await bench.clock.advance(100)
  expect(second.outcome).toBe('Reeve is ending')
  expect(bench.clock.pending).toBe(0)
})

test('a thousand waiting facilities are each looked up a few times, not once per other facility', async () => {
  const names = Array.from({ length: 1_000 }, (_, index) => `s${index}`)
  const facilities = new Map(names.map(name => [name, makeFacility({ name })]))
  const clock = createManualClock()
  let lookups = 0
  const waits: ReadinessWaits = createReadinessWaits({
    clock,
    facility(name) {
      lookups += 1
      return facilities.get(name)
    },
    observed: () => undefined,
    readiness: () => ({ ready: true, reason: 'Running', message: 'running' }),
    async observe(asked) {
      return new Map(asked.map(({ name, service }) => [name, running(service)]))
    },
    update: name => waits.settle(name),
  })
  const controller = new AbortController()
  const all = Promise.all(names.map(name => waits.until(name, controller.signal, { bounded: true })))
  expect(getEventListeners(controller.signal, 'abort')).toHaveLength(1)
  await clock.advance(100)
  await all
  expect(lookups).toBeLessThanOrEqual(10 * names.length)
  expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0)
  expect(clock.pending).toBe(0)
})

function running(service: string): Observed {
  return { service, state: 'running', enabled: true, supervised: true, pid: 1 }
}
