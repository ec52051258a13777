import type { Facility, Health } from '../core/facility.ts'
import type { Observed } from '../core/observed.ts'
import { type HealthState, type Readiness, readinessOf, SETTLING_TIME, STARTUP_TIMEOUT } from '../core/readiness.ts'
import { ReeveError } from '../core/reeve-error.ts'
import type { Clock } from '../host/clock.ts'
import type { ProbeResult } from './health-probe.ts'

/**
 * Knows of each facility how it is: the state last observed, and its health.
 *
 * Health of one process:  starting ──passes──▶ healthy ◀──passes── unhealthy
 *                            └──fails till startupTimeout──▶ ▲ ◀──fails failureThreshold times── healthy
 * A new process begins anew at `starting`; a service that doesn't run is `unknown`.
 */
export interface Tracker {
  /** The facilities that exist from now on; what is known of the others is forgotten. */
  track(facilities: readonly Facility[]): void
  update(facility: string, observed: Observed): void
  observed(facility: string): Observed | undefined
  health(facility: string): HealthState
  readiness(facility: string): Readiness
  unhealthy(): Set<string>
  /**
   * Resolves when the facility is ready. Rejects with ReeveError `not-ready` when its startup timeout is over (if
   * `bounded`) or it can't come up, and with the signal's reason on abort.
   */
  whenReady(facility: string, signal: AbortSignal, bounded: boolean): Promise<void>
  [Symbol.dispose](): void
}

export interface TrackerOptions {
  readonly clock: Clock
  observe(facilities: readonly Facility[]): Promise<ReadonlyMap<string, Observed>>
  probe(health: Health, signal: AbortSignal): Promise<ProbeResult>
  /** The health or readiness of a facility may have changed. */
  changed(facility: string): void
}

interface Track {
  facility: Facility
  observed: Observed | undefined
  health: HealthState
  healthMessage: string | undefined
  failures: number
  /** When health checking of this process began. */
  began: number
  probes: number
  /** The next probe; aborting `stop` gives up the one under way. */
  timer: Disposable | undefined
  stop: AbortController
}

interface Waiter {
  readonly facility: string
  readonly deadline: number
  /** True once the facility was observed after the wait began: what was seen before may be of an older process. */
  isFresh: boolean
  resolve(): void
  reject(error: unknown): void
}

/** How often those that somebody waits for are looked at, in milliseconds. */
const WAITING_INTERVAL = 50

/** The first probes of a new process come quickly, then ever slower till its own interval is reached. */
const FIRST_PROBE = 25

export function createTracker(options: TrackerOptions): Tracker {
  const { clock } = options
  const tracks = new Map<string, Track>()
  const waiters = new Set<Waiter>()
  let polling = false
  let disposed = false

  function track(facilities: readonly Facility[]): void {
    const names = new Set(facilities.map(facility => facility.name))
    for (const [name, entry] of tracks) {
      if (names.has(name)) continue
      stopProbing(entry)
      tracks.delete(name)
    }
    for (const facility of facilities) {
      const entry = tracks.get(facility.name)
      if (!entry) {
        tracks.set(facility.name, makeTrack(facility, clock.now()))
      } else if (entry.facility.digest !== facility.digest) {
        entry.facility = facility
        stopProbing(entry)
        beginHealth(entry)
      }
    }
  }

  function update(name: string, observed: Observed): void {
    const entry = tracks.get(name)
    if (!entry) return
    const before = entry.observed
    entry.observed = observed
    const sameProcess =
      before?.state === observed.state && before.pid === observed.pid && before.since === observed.since
    if (!sameProcess) {
      stopProbing(entry)
      beginHealth(entry)
      options.changed(name)
    }
    settleWaiters(name)
  }

  function beginHealth(entry: Track): void {
    entry.failures = 0
    entry.probes = 0
    entry.began = clock.now()
    entry.healthMessage = undefined
    if (!entry.facility.health) {
      entry.health = 'none'
      // Without a check, it is ready when it has been up for a while: nobody else would say so.
      if (entry.observed?.state === 'running') {
        entry.timer = clock.after(SETTLING_TIME + 1, () => options.changed(entry.facility.name))
      }
    } else if (entry.observed?.state !== 'running') entry.health = 'unknown'
    else {
      entry.health = 'starting'
      scheduleProbe(entry, FIRST_PROBE)
    }
  }

  function scheduleProbe(entry: Track, delay: number): void {
    if (disposed) return
    entry.timer = clock.after(delay, () => void probe(entry))
  }

  async function probe(entry: Track): Promise<void> {
    const { health } = entry.facility
    if (!health) return
    const { stop } = entry
    const result = await options.probe(health, stop.signal)
    if (stop.signal.aborted) return
    entry.probes += 1
    const before = entry.health
    judge(entry, health, result)
    if (entry.health !== before) options.changed(entry.facility.name)
    settleWaiters(entry.facility.name)
    const isStarting = entry.health === 'starting'
    scheduleProbe(entry, isStarting ? Math.min(health.interval, FIRST_PROBE * 2 ** entry.probes) : health.interval)
  }

  function judge(entry: Track, health: Health, result: ProbeResult): void {
    if (result.healthy) {
      entry.health = 'healthy'
      entry.failures = 0
      entry.healthMessage = undefined
      return
    }
    entry.healthMessage = result.message
    entry.failures += 1
    if (entry.health === 'starting') {
      if (clock.now() - entry.began >= health.startupTimeout) entry.health = 'unhealthy'
    } else if (entry.failures >= health.failureThreshold) {
      entry.health = 'unhealthy'
    }
  }

  function readiness(name: string): Readiness {
    const entry = tracks.get(name)
    if (!entry) return { ready: false, reason: 'Unknown', message: 'no such facility' }
    const found = readinessOf(entry.facility, entry.observed, entry.health, clock.now())
    if (found.ready || entry.healthMessage === undefined || entry.observed?.state !== 'running') return found
    return { ...found, message: `${found.message}: ${entry.healthMessage}` }
  }

  function whenReady(name: string, signal: AbortSignal, bounded: boolean): Promise<void> {
    signal.throwIfAborted()
    const timeout = tracks.get(name)?.facility.health?.startupTimeout ?? STARTUP_TIMEOUT
    return new Promise((resolve, reject) => {
      const onAbort = (): void => waiter.reject(signal.reason)
      const done = (): void => {
        waiters.delete(waiter)
        signal.removeEventListener('abort', onAbort)
      }
      const waiter: Waiter = {
        facility: name,
        deadline: bounded ? clock.now() + Math.max(timeout, SETTLING_TIME * 2) : Number.POSITIVE_INFINITY,
        isFresh: false,
        resolve() {
          done()
          resolve()
        },
        reject(error) {
          done()
          reject(error)
        },
      }
      signal.addEventListener('abort', onAbort, { once: true })
      waiters.add(waiter)
      if (!polling) void pollWaiters()
    })
  }

  function settleWaiters(name: string): void {
    for (const waiter of waiters) {
      if (waiter.facility !== name || !waiter.isFresh) continue
      const found = readiness(name)
      if (found.ready) waiter.resolve()
      else if (clock.now() >= waiter.deadline) waiter.reject(new ReeveError('not-ready', found.message))
    }
  }

  /** Looks at those that somebody waits for, until nobody waits. */
  async function pollWaiters(): Promise<void> {
    polling = true
    while (waiters.size > 0 && !disposed) {
      const asked = [...waiters]
      const names = new Set(asked.map(waiter => waiter.facility))
      const facilities = [...names].flatMap(name => tracks.get(name)?.facility ?? [])
      try {
        const found = await options.observe(facilities)
        for (const waiter of asked) waiter.isFresh = true
        for (const [name, observed] of found) update(name, observed)
      } catch (error) {
        for (const waiter of [...waiters]) waiter.reject(error)
        break
      }
      for (const name of names) settleWaiters(name)
      if (waiters.size > 0) await clock.sleep(WAITING_INTERVAL, NEVER)
    }
    polling = false
  }

  return {
    track,
    update,
    observed: name => tracks.get(name)?.observed,
    health: name => tracks.get(name)?.health ?? 'unknown',
    readiness,
    unhealthy: () =>
      new Set([...tracks.values()].filter(entry => entry.health === 'unhealthy').map(entry => entry.facility.name)),
    whenReady,
    [Symbol.dispose]() {
      disposed = true
      for (const entry of tracks.values()) stopProbing(entry)
      for (const waiter of [...waiters]) waiter.reject(new ReeveError('aborted', 'Reeve is ending'))
    },
  }
}

const NEVER = new AbortController().signal

function makeTrack(facility: Facility, now: number): Track {
  return {
    facility,
    observed: undefined,
    health: facility.health ? 'unknown' : 'none',
    healthMessage: undefined,
    failures: 0,
    began: now,
    probes: 0,
    timer: undefined,
    stop: new AbortController(),
  }
}

function stopProbing(entry: Track): void {
  entry.timer?.[Symbol.dispose]()
  entry.timer = undefined
  entry.stop.abort()
  entry.stop = new AbortController()
}
