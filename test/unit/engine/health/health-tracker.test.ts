import { expect, test } from 'vitest'
import { createHealthBench, health, observed } from '../../../simulation/health-bench.ts'

test('a new process is starting, and healthy once its check passes', async () => {
  using bench = createHealthBench()
  bench.declare({ name: 'web', health })
  bench.answer = { healthy: false, message: 'not yet' }
  bench.update(observed('running', 1))
  await bench.clock.advance(1_000)
  expect(bench.tracker.health('web')).toBe('starting')
  expect(bench.tracker.readiness('web')).toMatchObject({ ready: false, reason: 'HealthPending' })
  expect(bench.tracker.readiness('web').message).toContain('not yet')
  bench.answer = { healthy: true }
  await bench.clock.advance(1_000)
  expect(bench.tracker.health('web')).toBe('healthy')
  bench.update(observed('running', 2))
  expect(bench.tracker.health('web')).toBe('starting')
  bench.update(observed('stopped'))
  expect(bench.tracker.health('web')).toBe('unknown')
})

test('a service is unhealthy if its check has not passed within the startup timeout', async () => {
  using bench = createHealthBench()
  bench.declare({ name: 'web', health })
  bench.answer = { healthy: false, message: 'never' }
  bench.update(observed('running', 1))
  await bench.clock.advance(4_900)
  expect(bench.tracker.health('web')).toBe('starting')
  await bench.clock.advance(1_200)
  expect(bench.tracker.health('web')).toBe('unhealthy')
  expect([...bench.tracker.unhealthy()]).toEqual(['web'])
})

test('a healthy service becomes unhealthy after the declared number of consecutive failures', async () => {
  using bench = createHealthBench()
  bench.declare({ name: 'web', health })
  bench.update(observed('running', 1))
  await bench.clock.advance(100)
  bench.answer = { healthy: false, message: 'ill' }
  await bench.clock.advance(2_000)
  expect(bench.tracker.health('web')).toBe('healthy')
  bench.answer = { healthy: true }
  await bench.clock.advance(1_000)
  bench.answer = { healthy: false, message: 'ill' }
  await bench.clock.advance(2_000)
  expect(bench.tracker.health('web')).toBe('healthy')
  await bench.clock.advance(1_000)
  expect(bench.tracker.health('web')).toBe('unhealthy')
  bench.answer = { healthy: true }
  await bench.clock.advance(1_000)
  expect(bench.tracker.health('web')).toBe('healthy')
})

test('the first checks follow quickly, later ones at the interval', async () => {
  using bench = createHealthBench()
  bench.declare({ name: 'web', health })
  bench.answer = { healthy: false, message: 'not yet' }
  bench.update(observed('running', 1))
  await bench.clock.advance(1_000)
  expect(bench.probes).toBeGreaterThanOrEqual(4)
  bench.answer = { healthy: true }
  await bench.clock.advance(1_000)
  const before = bench.probes
  await bench.clock.advance(10_000)
  expect(bench.probes - before).toBe(10)
})

test('the same process observed again changes nothing and wakes nobody', async () => {
  using bench = createHealthBench()
  bench.declare({ name: 'web', health })
  bench.update(observed('running', 1))
  await bench.clock.advance(1_000)
  const before = bench.changed.length
  for (let i = 0; i < 10; i += 1) bench.update(observed('running', 1))
  await bench.clock.advance(5_000)
  expect(bench.changed).toHaveLength(before)
})

test('a process is the same if its supervisor reports a slightly different start time', async () => {
  using bench = createHealthBench()
  bench.declare({ name: 'web', health })
  bench.update(observed('running', 1, bench.clock.now()))
  await bench.clock.advance(15_000)
  bench.update(observed('running', 1, bench.clock.now() - 15_000))
  const before = bench.changed.length
  bench.update(observed('running', 1, bench.clock.now() - 15_700))
  expect([bench.tracker.health('web'), bench.changed.length]).toEqual(['healthy', before])
  await bench.clock.advance(10)
  bench.update(observed('running', 1, bench.clock.now()))
  expect([bench.tracker.health('web'), bench.changed.length]).toEqual(['starting', before + 1])
})

test('health checks resume where they were once an unreadable supervisor answers again', async () => {
  using bench = createHealthBench()
  bench.declare({ name: 'web', health })
  bench.update(observed('running', 1))
  await bench.clock.advance(2_000)
  expect(bench.tracker.health('web')).toBe('healthy')
  bench.answer = { healthy: false, message: 'no answer' }
  await bench.clock.advance(2_000)
  bench.update(observed('unknown'))
  expect(bench.tracker.health('web')).toBe('unknown')
  bench.update(observed('running', 1))
  expect(bench.tracker.health('web')).toBe('healthy')
  await bench.clock.advance(1_500)
  expect(bench.tracker.health('web')).toBe('unhealthy')

  bench.update(observed('unknown'))
  bench.update(observed('running', 2, bench.clock.now()))
  expect(bench.tracker.health('web')).toBe('starting')
})

test('a removed facility is not checked', async () => {
  using bench = createHealthBench()
  bench.declare({ name: 'web', health })
  bench.update(observed('running', 1))
  bench.declare()
  await bench.clock.advance(10_000)
  expect(bench.probes).toBe(0)
  expect(bench.clock.pending).toBe(0)
})

test('readiness is judged at the time of the observation, however long ago', async () => {
  using bench = createHealthBench()
  bench.declare({ name: 'web' })
  const lookedAt = bench.clock.now()
  const young = observed('running', 1, lookedAt)
  await bench.clock.advance(5_000)
  bench.tracker.update('web', young, lookedAt + 400)
  expect(bench.tracker.readiness('web')).toMatchObject({ ready: false, reason: 'Starting' })
  bench.tracker.update('web', young, lookedAt + 500)
  expect(bench.tracker.readiness('web').ready).toBe(true)
})

test('a new state must last for a while before it counts, whatever start time the supervisor reports', async () => {
  using bench = createHealthBench()
  bench.declare({ name: 'web' })
  const before = bench.clock.now()
  await bench.clock.advance(5_000)
  bench.update(observed('starting', undefined, before))
  bench.update(observed('running', 1, before))
  expect(bench.tracker.readiness('web').ready).toBe(false)
  await bench.clock.advance(499)
  bench.update(observed('running', 1, before))
  expect(bench.tracker.readiness('web').ready).toBe(false)
  await bench.clock.advance(1)
  bench.update(observed('running', 1, before))
  expect(bench.tracker.readiness('web').ready).toBe(true)
})
