import type { Facility, Health } from '../../core/model/facility.ts'
import type { Observed } from '../../core/state/observed.ts'
import { GOOD_RUN, type HealthState, type Readiness, readinessOf } from '../../core/state/readiness.ts'
import type { Clock } from '../../host/clock.ts'
import type { ProbeResult } from './probe-result.ts'
import { createReadinessWaits, type WaitOptions } from './readiness-wait.ts'

/**
 * Health tracker: the last observed state and the health of each facility.
 *
 * Health of one process:  starting ──passes──▶ healthy ◀──passes── unhealthy
 *                            └──fails until startupTimeout──▶ ▲ ◀──fails failureThreshold times── healthy
 * A new process begins at `starting`; a service that doesn't run is `unknown`. While a supervisor does not answer, its services are
 * `unknown`, and a process that still runs afterwards continues in its former state.
 */
export interface HealthTracker {
  /** Sets the facilities that are tracked; all others are forgotten. */
  track(facilities: readonly Facility[]): void
  /** `lookedAt`: when the observation began, in ms since 1970. */
  update(facility: string, observed: Observed, lookedAt: number): void
  observed(facility: string): Observed | undefined
  /** Main processes as last observed. */
  pids(): Iterable<readonly [facility: string, pid: number]>
  health(facility: string): HealthState
  readiness(facility: string): Readiness
  unhealthy(): Set<string>
  /** See `ReadinessWaits.until`. */
  whenReady(facility: string, signal: AbortSignal, options: WaitOptions): Promise<void>
  [Symbol.dispose](): void
}

export interface HealthTrackerOptions {
  readonly clock: Clock
  /** See `createReadinessWaits`. */
  watch?(supervisor: string, hint: (service?: string) => void): Disposable | undefined
  /** Observes facilities of one supervisor; the result is by name. */
  observe(facilities: readonly Facility[]): Promise<ReadonlyMap<string, Observed>>
  probe(facility: Facility, signal: AbortSignal): Promise<ProbeResult>
  /** Called when the health or readiness of a facility may have changed. */
  changed(facility: string): void
}

interface Track {
  facility: Facility
  observed: Observed | undefined
  /** When its last observation began, and the first one of this process after another state; ms since 1970. */
  lookedAt: number
  changedAt: number | undefined
  health: HealthState
  healthMessage: string | undefined
  failures: number
  /** When probing of this process began. */
  began: number
  probes: number
  /** Timer of the next probe. */
  timer: Disposable | undefined
  /** Timers of the moments when it has been up for long enough to change in readiness. */
  moments: readonly Disposable[]
  /** Aborts the probe that is under way. */
  stop: AbortController | undefined
  /** State before its supervisor stopped answering; undefined while it answers. */
  known: Known | undefined
}

type Known = Pick<
  Track,
  'observed' | 'lookedAt' | 'changedAt' | 'health' | 'healthMessage' | 'failures' | 'began' | 'probes'
>

/** First probe interval of a new process, in ms; intervals grow until the declared one is reached. */
const FIRST_PROBE = 25

export function createHealthTracker(options: HealthTrackerOptions): HealthTracker {
  const { clock } = options
  const tracks = new Map<string, Track>()
  const waits = createReadinessWaits({
    clock,
    facility: name => tracks.get(name)?.facility,
    observed: name => tracks.get(name)?.observed,
    readiness,
    ...(options.watch && { watch: options.watch }),
    observe: options.observe,
    update,
  })
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
        tracks.set(facility.name, makeTrack(facility, clock.elapsed()))
      } else if (entry.facility.digest !== facility.digest) {
        entry.facility = facility
        entry.known = undefined
        stopProbing(entry)
        beginHealth(entry)
      }
    }
    waits.facilitiesChanged()
  }

  function update(name: string, observed: Observed, lookedAt: number): void {
    const entry = tracks.get(name)
    if (!entry || disposed) return
    if (wasThere(observed, entry)) {
      Object.assign(entry, { observed, lookedAt })
    } else {
      stopProbing(entry)
      change(entry, observed, lookedAt)
      options.changed(name)
    }
    waits.settle(name)
  }

  function change(entry: Track, observed: Observed, lookedAt: number): void {
    const { observed: before, known = knownOf(entry) } = entry
    const isKnown = observed.state !== 'unknown'
    Object.assign(entry, { observed, lookedAt, known: isKnown ? undefined : known })
    if (isKnown && known && wasThere(observed, known)) {
      resumeHealth(entry, known)
      return
    }
    // A process that could not be observed before may have run for long.
    entry.changedAt = before && before.state !== 'unknown' ? lookedAt : undefined
    beginHealth(entry)
  }

  function resumeHealth(entry: Track, { health, healthMessage, failures, began, probes, changedAt }: Known): void {
    Object.assign(entry, { health, healthMessage, failures, began, probes, changedAt })
    if (entry.observed?.state !== 'running') return
    announceMoments(entry)
    if (entry.facility.health) scheduleProbe(entry, FIRST_PROBE)
  }

  function beginHealth(entry: Track): void {
    entry.failures = 0
    entry.probes = 0
    entry.began = clock.elapsed()
    entry.healthMessage = undefined
    const isRunning = entry.observed?.state === 'running'
    if (isRunning) announceMoments(entry)
    if (!entry.facility.health) entry.health = 'none'
    else if (!isRunning) entry.health = 'unknown'
    else {
      entry.health = 'starting'
      scheduleProbe(entry, FIRST_PROBE)
    }
  }

  /** Reports a change when the run has been up for `readyAfter`, or for as long as ends a crash loop: no event tells of that. */
  function announceMoments(entry: Track): void {
    const moments = [entry.facility.readyAfter, ...((entry.observed?.restarts ?? 0) > 0 ? [GOOD_RUN] : [])]
    const { name } = entry.facility
    const tell = (): void => {
      waits.hint(name)
      options.changed(name)
    }
    entry.moments = moments.map(moment => clock.after(moment + 1, tell))
  }

  function scheduleProbe(entry: Track, delay: number): void {
    if (disposed) return
    entry.timer = clock.after(delay, () => void probe(entry))
  }

  async function probe(entry: Track): Promise<void> {
    const { health } = entry.facility
    if (!health) return
    const stop = new AbortController()
    entry.stop = stop
    const result = await options.probe(entry.facility, stop.signal)
    if (stop.signal.aborted) return
    entry.stop = undefined
    entry.probes += 1
    const before = entry.health
    judge(entry, health, result)
    if (entry.health !== before) options.changed(entry.facility.name)
    waits.settle(entry.facility.name)
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
      if (clock.elapsed() - entry.began >= health.startupTimeout) entry.health = 'unhealthy'
    } else if (entry.failures >= health.failureThreshold) {
      entry.health = 'unhealthy'
    }
  }

  function readiness(name: string): Readiness {
    const entry = tracks.get(name)
    if (!entry) return { ready: false, reason: 'Unknown', message: 'no such facility' }
    // On a busy host, the observation may be old: what counts is how long the process had been up by then.
    return readinessOf(entry.facility, sinceSeen(entry), entry.health, entry.lookedAt, entry.healthMessage)
  }

  return {
    track,
    update,
    observed: name => tracks.get(name)?.observed,
    pids: () => [...tracks].flatMap(([name, { observed }]) => (observed?.pid ? [[name, observed.pid] as const] : [])),
    health: name => tracks.get(name)?.health ?? 'unknown',
    readiness,
    unhealthy: () =>
      new Set([...tracks.values()].filter(entry => entry.health === 'unhealthy').map(entry => entry.facility.name)),
    whenReady: waits.until,
    [Symbol.dispose]() {
      disposed = true
      for (const entry of tracks.values()) stopProbing(entry)
      waits[Symbol.dispose]()
    },
  }
}

function makeTrack(facility: Facility, now: number): Track {
  return {
    facility,
    observed: undefined,
    lookedAt: 0,
    changedAt: undefined,
    health: facility.health ? 'unknown' : 'none',
    healthMessage: undefined,
    failures: 0,
    began: now,
    probes: 0,
    timer: undefined,
    moments: [],
    stop: undefined,
    known: undefined,
  }
}

function knownOf({ observed, lookedAt, changedAt, health, healthMessage, failures, began, probes }: Track): Known {
  return { observed, lookedAt, changedAt, health, healthMessage, failures, began, probes }
}

/**
 * True if the last observation was of the same process. Supervisors may report a slightly different start time, by another
 * clock; a different process with the same pid started after that observation.
 */
function wasThere(
  { state, pid, since }: Observed,
  { observed: before, lookedAt }: Pick<Track, 'observed' | 'lookedAt'>,
): boolean {
  if (before?.state !== state || before.pid !== pid) return false
  return since === before.since || (since !== undefined && since <= lookedAt)
}

/** A new state must last before it counts, whatever start time its supervisor reports. */
function sinceSeen({ observed, changedAt }: Track): Observed | undefined {
  if (!observed || changedAt === undefined) return observed
  return { ...observed, since: Math.max(observed.since ?? changedAt, changedAt) }
}

function stopProbing(entry: Track): void {
  entry.timer?.[Symbol.dispose]()
  entry.timer = undefined
  for (const moment of entry.moments) moment[Symbol.dispose]()
  entry.moments = []
  entry.stop?.abort()
  entry.stop = undefined
}
