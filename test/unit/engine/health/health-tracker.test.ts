import { expect, test } from 'vitest'
import type { Facility, Health } from '../../../../src/core/model/facility.ts'
import type { Observed, ServiceState } from '../../../../src/core/state/observed.ts'
import { createHealthTracker, type HealthTracker } from '../../../../src/engine/health/health-tracker.ts'
import type { ProbeResult } from '../../../../src/engine/health/probe-result.ts'
import { type Declaration, makeFacility } from '../../../simulation/declaration.ts'
import { createManualClock, type ManualClock } from '../../../tools/manual-clock.ts'

const health: Health = {
  check: { type: 'exec', command: ['/bin/true'] },
  interval: 1_000,
  timeout: 500,
  failureThreshold: 3,
  startupTimeout: 5_000,
  onFailure: 'report',
}

interface Bench extends Disposable {
  readonly clock: ManualClock
  readonly tracker: HealthTracker
  readonly changed: string[]
  /** Findings of the next observations and probes. */
  answer: ProbeResult
  readonly states: Map<string, Observed>
  /** Supervisors that don't answer any more. */
  readonly hanging: Set<string>
  probes: number
  /** Number of observations. */
  looks: number
  /** Reports a change to the listener, if there is one. */
  hint: ((service?: string) => void) | undefined
  declare(...declarations: Declaration[]): void
  /** Sets what the next observation of `web` finds. */
  update(observed: Observed): void
}

function createBench(): Bench {
  const clock = createManualClock()
  const changed: string[] = []
  const bench: Bench = {
    clock,
    changed,
    answer: { healthy: true },
    states: new Map(),
    hanging: new Set(),
    probes: 0,
    looks: 0,
    hint: undefined,
    tracker: createHealthTracker({
      clock,
      watch(_supervisor, hint) {
        bench.hint = hint
        return {
          [Symbol.dispose]() {
            bench.hint = undefined
          },
        }
      },
      async observe(facilities: readonly Facility[]) {
        bench.looks += 1
        const [first] = facilities
        if (first && bench.hanging.has(first.supervisor)) return new Promise(() => {})
        const found = new Map<string, Observed>()
        for (const { name } of facilities) {
          const one = bench.states.get(name)
          if (!one) throw new Error(`${name} cannot be seen`)
          found.set(name, one)
        }
        return found
      },
      async probe() {
        bench.probes += 1
        return bench.answer
      },
      changed: name => changed.push(name),
    }),
    declare: (...declarations) => bench.tracker.track(declarations.map(makeFacility)),
    update: found => bench.tracker.update('web', found, clock.now()),
    [Symbol.dispose]: () => bench.tracker[Symbol.dispose](),
  }
  return bench
}

function observed(state: ServiceState, pid?: number, since = 0): Observed {
  return { service: 'web', state, enabled: true, supervised: true, since, ...(pid === undefined ? {} : { pid }) }
}

const never = new AbortController().signal

/** State of a wait by now. */
function follow(promise: Promise<void>): { outcome: string } {
  const followed = { outcome: 'waits' }
  promise.then(
    () => {
      followed.outcome = 'ready'
    },
    (error: unknown) => {
      followed.outcome = error instanceof Error ? error.message : String(error)
    },
  )
  return followed
}

test('a new process is starting, and healthy once its check passes', async () => {
  using bench = createBench()
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
  using bench = createBench()
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
  using bench = createBench()
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
  using bench = createBench()
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
  using bench = createBench()
  bench.declare({ name: 'web', health })
  bench.update(observed('running', 1))
  await bench.clock.advance(1_000)
  const before = bench.changed.length
  for (let i = 0; i < 10; i += 1) bench.update(observed('running', 1))
  await bench.clock.advance(5_000)
  expect(bench.changed).toHaveLength(before)
})

test('a process is the same if its supervisor reports a slightly different start time', async () => {
  using bench = createBench()
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
  using bench = createBench()
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
  using bench = createBench()
  bench.declare({ name: 'web', health })
  bench.update(observed('running', 1))
  bench.declare()
  await bench.clock.advance(10_000)
  expect(bench.probes).toBe(0)
  expect(bench.clock.pending).toBe(0)
})

test('a wait observes for itself: an earlier observation may be of an older process', async () => {
  using bench = createBench()
  bench.declare({ name: 'web' })
  bench.update(observed('running', 1))
  await bench.clock.advance(1_000)
  bench.update(observed('running', 1))
  expect(bench.tracker.readiness('web').ready).toBe(true)
  bench.states.set('web', observed('starting'))
  const wait = follow(bench.tracker.whenReady('web', never, { bounded: false }))
  await bench.clock.advance(1_000)
  expect(wait.outcome).toBe('waits')
  bench.states.set('web', observed('running', 2))
  await bench.clock.advance(2_600)
  expect(wait.outcome).toBe('ready')
})

test('readiness is judged at the time of the observation, however long ago', async () => {
  using bench = createBench()
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
  using bench = createBench()
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

test('E5: a silent supervisor delays only waits for its own services', async () => {
  using bench = createBench()
  bench.declare({ name: 'stuck', supervisor: 'alpha' }, { name: 'web', supervisor: 'beta' })
  bench.hanging.add('alpha')
  bench.states.set('web', observed('running', 1))
  const stuck = follow(bench.tracker.whenReady('stuck', never, { bounded: true }))
  const web = follow(bench.tracker.whenReady('web', never, { bounded: true }))
  await bench.clock.advance(100)
  expect(web.outcome).toBe('ready')
  expect(stuck.outcome).toBe('waits')
  await bench.clock.advance(10_000)
  expect(stuck.outcome).toBe('the supervisor has not been asked yet')
})

test('E7: an unreadable supervisor makes its services unknown, and unknown is not ready', async () => {
  using bench = createBench()
  bench.declare({ name: 'web' })
  const wait = follow(bench.tracker.whenReady('web', never, { bounded: false }))
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
  using bench = createBench()
  bench.declare({ name: 'web' })
  bench.states.set('web', observed('starting'))
  const wait = follow(bench.tracker.whenReady('web', never, { bounded: false }))
  await bench.clock.advance(5_000)
  expect(bench.looks).toBeLessThanOrEqual(8)
  const before = bench.looks
  await bench.clock.advance(60_000)
  expect(bench.looks - before).toBe(30)
  expect(wait.outcome).toBe('waits')
})

test('an event of a service has it observed within 50 ms; an event of another has not', async () => {
  using bench = createBench()
  bench.declare({ name: 'web' }, { name: 'db' })
  bench.states.set('web', observed('starting'))
  const wait = follow(bench.tracker.whenReady('web', never, { bounded: false }))
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
  using bench = createBench()
  bench.declare({ name: 'web' }, { name: 'db' })
  bench.states.set('web', observed('starting'))
  bench.states.set('db', observed('running', 1))
  follow(bench.tracker.whenReady('web', never, { bounded: false }))
  await bench.clock.advance(20_100)
  const wait = follow(bench.tracker.whenReady('db', never, { bounded: false }))
  await bench.clock.advance(100)
  expect(wait.outcome).toBe('ready')
})

test('a bounded wait ends at the startup timeout and reports the last observation', async () => {
  using bench = createBench()
  bench.declare({ name: 'web', health })
  bench.states.set('web', observed('running', 1))
  bench.answer = { healthy: false, message: 'http://127.0.0.1 answered 500' }
  const bounded = follow(bench.tracker.whenReady('web', never, { bounded: true }))
  const patient = follow(bench.tracker.whenReady('web', never, { bounded: false }))
  await bench.clock.advance(4_999)
  expect(bounded.outcome).toBe('waits')
  await bench.clock.advance(1)
  expect(bounded.outcome).toContain('answered 500')
  expect(patient.outcome).toBe('waits')
})

test('a bounded wait ends early if the service failed for good, but not in passing', async () => {
  using bench = createBench()
  bench.declare({ name: 'web' })
  bench.states.set('web', observed('failed'))
  const passing = follow(bench.tracker.whenReady('web', never, { bounded: true }))
  await bench.clock.advance(500)
  bench.states.set('web', observed('starting'))
  await bench.clock.advance(1_000)
  expect(passing.outcome).toBe('waits')
  bench.states.set('web', observed('failed'))
  await bench.clock.advance(2_200)
  expect(passing.outcome).toBe('failed')
})

test('E13: a dependency that is declared stopped fails the wait', async () => {
  using bench = createBench()
  bench.declare({ name: 'web', state: 'stopped' })
  bench.states.set('web', observed('stopped'))
  const serving = follow(bench.tracker.whenReady('web', never, { bounded: false, serving: true }))
  const plain = follow(bench.tracker.whenReady('web', never, { bounded: true }))
  await bench.clock.advance(100)
  expect([serving.outcome, plain.outcome]).toEqual(['it is declared stopped', 'ready'])
})

test('E13: a dependency that is stopped but declared running is waited for', async () => {
  using bench = createBench()
  bench.declare({ name: 'web' })
  bench.states.set('web', observed('stopped'))
  const serving = follow(bench.tracker.whenReady('web', never, { bounded: false, serving: true }))
  await bench.clock.advance(100)
  expect(serving.outcome).toBe('waits')
  bench.states.set('web', observed('running', 1))
  await bench.clock.advance(1_000)
  expect(serving.outcome).toBe('ready')
})

test('a wait for a removed facility ends, and a wait for a moved one continues at the new place', async () => {
  using bench = createBench()
  bench.declare({ name: 'web', supervisor: 'alpha' }, { name: 'db' })
  bench.hanging.add('alpha')
  const web = follow(bench.tracker.whenReady('web', never, { bounded: false }))
  const db = follow(bench.tracker.whenReady('db', never, { bounded: false }))
  bench.states.set('web', observed('running', 1))
  bench.declare({ name: 'web', supervisor: 'beta' })
  await bench.clock.advance(100)
  expect(db.outcome).toBe('there is no facility db any more')
  expect(web.outcome).toBe('ready')
})

test('a wait ends with its signal, and all waits end with the tracker', async () => {
  const bench = createBench()
  bench.declare({ name: 'web' })
  bench.states.set('web', observed('starting'))
  const giveUp = new AbortController()
  const first = follow(bench.tracker.whenReady('web', giveUp.signal, { bounded: false }))
  const second = follow(bench.tracker.whenReady('web', never, { bounded: false }))
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
