import type { Facility, Health } from '../../core/model/facility.ts'
import type { Observed } from '../../core/state/observed.ts'
import { GOOD_RUN, type HealthState, type Readiness, readinessOf } from '../../core/state/readiness.ts'
import type { Clock } from '../../host/clock.ts'
import type { ProbeResult } from './probe-result.ts'
import { createReadinessWaits, type WaitOptions } from './readiness-wait.ts'

/**
 * Knows of each facility how it is: the state last observed, and its health.
 *
 * Health of one process:  starting ──passes──▶ healthy ◀──passes── unhealthy
 *                            └──fails till startupTimeout──▶ ▲ ◀──fails failureThreshold times── healthy
 * A new process begins anew at `starting`; a service that doesn't run is `unknown`. While a supervisor can't be asked, its services are
 * `unknown`, and a process that is still there afterwards goes on from where it was.
 */
export interface HealthTracker {
  /** The facilities that exist from now on; what is known of the others is forgotten. */
  track(facilities: readonly Facility[]): void
  /** `lookedAt`: when that look began, in ms since 1970. */
  update(facility: string, observed: Observed, lookedAt: number): void
  observed(facility: string): Observed | undefined
  /** The main processes, as last observed. */
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
  /** Looks at facilities of one supervisor; the answer is by name. */
  observe(facilities: readonly Facility[]): Promise<ReadonlyMap<string, Observed>>
  probe(facility: Facility, signal: AbortSignal): Promise<ProbeResult>
  /** The health or readiness of a facility may have changed. */
  changed(facility: string): void
}

interface Track {
  facility: Facility
  observed: Observed | undefined
  /** When the last look at it began, and the first that saw this process where another state was seen before; ms since 1970. */
  lookedAt: number
  changedAt: number | undefined
  health: HealthState
  healthMessage: string | undefined
  failures: number
  /** When health checking of this process began. */
  began: number
  probes: number
  /** The next probe. */
  timer: Disposable | undefined
  /** When it has been up for as long as something depends on. */
  moments: readonly Disposable[]
  /** Gives up the probe that is under way. */
  stop: AbortController | undefined
  /** What was known when its supervisor could be asked last; undefined while it can be. */
  known: Known | undefined
}

type Known = Pick<
  Track,
  'observed' | 'lookedAt' | 'changedAt' | 'health' | 'healthMessage' | 'failures' | 'began' | 'probes'
>

/** The first probes of a new process come quickly, then ever slower till its own interval is reached. */
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
    // What could not be seen before may have been there for long.
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

  /** A run becomes ready, or the end of a crash loop, by having been up for a while: nobody else would say so. */
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
    // On a busy host much time may be between a look and here: it has to have been up for a while when it was seen.
    const found = readinessOf(entry.facility, sinceSeen(entry), entry.health, entry.lookedAt)
    if (found.ready || entry.healthMessage === undefined || entry.observed?.state !== 'running') return found
    return { ...found, message: `${found.message}: ${entry.healthMessage}` }
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
 * True if the last look saw the same process. Its supervisor may tell a bit otherwise now since when it runs, by another
 * clock; another process with the same pid has come after that look.
 */
function wasThere(
  { state, pid, since }: Observed,
  { observed: before, lookedAt }: Pick<Track, 'observed' | 'lookedAt'>,
): boolean {
  if (before?.state !== state || before.pid !== pid) return false
  return since === before.since || (since !== undefined && since <= lookedAt)
}

/** What was seen to come has to be seen for a while, whatever its supervisor says of when it has come. */
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
