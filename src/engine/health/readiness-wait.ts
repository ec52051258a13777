import type { Facility } from '../../core/model/facility.ts'
import { messageOf, ReeveError } from '../../core/reeve-error.ts'
import { type Observed, unknownService } from '../../core/state/observed.ts'
import { type Readiness, RUN_FAILED, STARTUP_TIMEOUT } from '../../core/state/readiness.ts'
import type { Clock } from '../../host/clock.ts'

/**
 * Waits for facilities to become ready. Awaited facilities are polled, at once if there is a hint of a change, and otherwise ever more
 * rarely.
 */
export interface ReadinessWaits {
  /** Rejects with ReeveError `not-ready`, and with the signal's reason on abort. */
  until(facility: string, signal: AbortSignal, options: WaitOptions): Promise<void>
  /** Evaluates the waits for a facility, of which something new is known. */
  settle(facility: string): void
  /** Hint of a change: the facility is observed soon, if it is awaited. */
  hint(facility: string): void
  /** Called when facilities were added, removed, or moved to another supervisor. */
  facilitiesChanged(): void
  [Symbol.dispose](): void
}

export interface WaitOptions {
  /** True: rejects after the startup timeout, or if the service has failed for good. False: waits without limit. */
  readonly bounded: boolean
  /** True: the facility has to run, as dependents use it; that it is stopped as declared isn't enough. */
  readonly serving?: boolean
}

interface ReadinessWaitsOptions {
  readonly clock: Clock
  facility(name: string): Facility | undefined
  observed(name: string): Observed | undefined
  readiness(name: string): Readiness
  /** Subscribes to the supervisor's events, by service; undefined if there are none, or the caller handles them. */
  watch?(supervisor: string, hint: (service?: string) => void): Disposable | undefined
  /** Observes facilities of one supervisor; the result is by name. */
  observe(facilities: readonly Facility[]): Promise<ReadonlyMap<string, Observed>>
  /** `lookedAt`: when the observation began, in ms since 1970. */
  update(name: string, observed: Observed, lookedAt: number): void
}

interface Waiter {
  readonly facility: string
  readonly signal: AbortSignal
  readonly options: WaitOptions
  /** True once the facility was observed after the wait began: an earlier observation may be of an older process. */
  isFresh: boolean
  /** When it was first observed as failed. */
  failedSince: number | undefined
  resolve(): void
  reject(error: unknown): void
}

/** Poll interval in ms: at first, and at most, as it doubles while nothing changes. */
const FIRST_PAUSE = 50
const LONGEST_PAUSE = 2_000

/** Poll interval in ms from which on a supervisor's events are subscribed to: most services are ready sooner. */
const WATCHED_FROM = 200

/** Least time in ms for a service to start, before the `readyAfter` that it has to be up for. */
const MINIMUM_WAIT = 1_000

/** Time in ms after which `failed` is final: some supervisors pass through it. */
const FAILED_FOR_GOOD = 1_000

export function createReadinessWaits(options: ReadinessWaitsOptions): ReadinessWaits {
  const { clock } = options
  /** Waiters by facility: with thousands, a search for each would take too long. */
  const waiters = new Map<string, Set<Waiter>>()
  /** Each signal has one listener: Node goes through all listeners of a signal for each that comes or goes. */
  const bySignal = new Map<AbortSignal, Set<Waiter>>()
  /** Polls by supervisor, so that a slow one delays no others (E5). */
  const polls = new Map<string, Poll>()
  let disposed = false

  function until(name: string, signal: AbortSignal, wait: WaitOptions): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason)
      const { health, readyAfter = 0 } = options.facility(name) ?? {}
      const timeout = Math.max(health?.startupTimeout ?? STARTUP_TIMEOUT, MINIMUM_WAIT + readyAfter)
      const end = (): void => {
        remove(waiter)
        deadline?.[Symbol.dispose]()
      }
      const waiter: Waiter = {
        facility: name,
        signal,
        options: wait,
        isFresh: false,
        failedSince: undefined,
        resolve() {
          end()
          resolve()
        },
        reject(error) {
          end()
          reject(error)
        },
      }
      const deadline = wait.bounded
        ? clock.after(timeout, () => waiter.reject(notReady(options.readiness(name))))
        : undefined
      if (!bySignal.has(signal)) signal.addEventListener('abort', onAbort)
      addTo(bySignal, signal, waiter)
      addTo(waiters, name, waiter)
      ensurePoll(waiter)
      const supervisor = options.facility(name)?.supervisor
      // An earlier observation may be of an older process.
      if (supervisor !== undefined) polls.get(supervisor)?.hurry()
    })
  }

  function remove(waiter: Waiter): void {
    removeFrom(waiters, waiter.facility, waiter)
    removeFrom(bySignal, waiter.signal, waiter)
    if (!bySignal.has(waiter.signal)) waiter.signal.removeEventListener('abort', onAbort)
  }

  function onAbort({ target }: Event): void {
    if (!(target instanceof AbortSignal)) return
    for (const waiter of [...(bySignal.get(target) ?? [])]) waiter.reject(target.reason)
  }

  function all(): Waiter[] {
    return [...waiters.values()].flatMap(group => [...group])
  }

  function facilitiesChanged(): void {
    for (const waiter of all()) ensurePoll(waiter)
  }

  /** Makes sure that the facility is polled. */
  function ensurePoll(waiter: Waiter): void {
    const facility = options.facility(waiter.facility)
    if (!facility) waiter.reject(notReady({ message: `there is no facility ${waiter.facility} any more` }))
    else if (!polls.has(facility.supervisor)) void poll(facility.supervisor)
  }

  function settle(name: string): void {
    for (const waiter of [...(waiters.get(name) ?? [])]) if (waiter.isFresh) evaluate(waiter)
  }

  function evaluate(waiter: Waiter): void {
    const { facility: name } = waiter
    const found = options.readiness(name)
    if (waiter.options.serving && options.facility(name)?.state === 'stopped') {
      waiter.reject(notReady({ message: 'it is declared stopped' }))
    } else if (found.ready) {
      waiter.resolve()
    } else if (waiter.options.bounded && (found.reason === RUN_FAILED || hasFailedForGood(waiter))) {
      waiter.reject(notReady(found))
    }
  }

  function hasFailedForGood(waiter: Waiter): boolean {
    if (options.observed(waiter.facility)?.state !== 'failed') {
      waiter.failedSince = undefined
      return false
    }
    if (waiter.failedSince === undefined) {
      waiter.failedSince = clock.elapsed()
      clock.after(FAILED_FOR_GOOD, () => hint(waiter.facility), { keepsAlive: false })
    }
    return clock.elapsed() - waiter.failedSince >= FAILED_FOR_GOOD
  }

  function hint(name: string): void {
    const supervisor = options.facility(name)?.supervisor
    if (supervisor !== undefined && waiters.has(name)) polls.get(supervisor)?.hurry()
  }

  /** Observes awaited facilities of one supervisor repeatedly, until there are none. */
  async function poll(supervisor: string): Promise<void> {
    const pauses = createPauses(clock)
    polls.set(supervisor, pauses)
    let watch: Disposable | undefined
    while (!disposed) {
      const asked = all().filter(waiter => options.facility(waiter.facility)?.supervisor === supervisor)
      if (asked.length === 0) break
      if (await observeAll(new Set(asked.map(waiter => waiter.facility)))) pauses.hurry()
      for (const waiter of asked) {
        waiter.isFresh = true
        if (waiters.get(waiter.facility)?.has(waiter)) evaluate(waiter)
      }
      if (pauses.next() >= WATCHED_FROM) watch ??= options.watch?.(supervisor, service => hintOf(supervisor, service))
      await pauses.take()
    }
    watch?.[Symbol.dispose]()
    polls.delete(supervisor)
  }

  function hintOf(supervisor: string, service: string | undefined): void {
    const isMeant = (name: string): boolean => service === undefined || options.facility(name)?.service === service
    if ([...waiters.keys()].some(isMeant)) polls.get(supervisor)?.hurry()
  }

  /** Returns whether something has changed since the last observation. */
  async function observeAll(names: ReadonlySet<string>): Promise<boolean> {
    const facilities = [...names].flatMap(name => options.facility(name) ?? [])
    const lookedAt = clock.now()
    const before = new Map(facilities.map(({ name }) => [name, options.observed(name)]))
    const found = new Map<string, Observed>()
    try {
      for (const [name, observed] of await options.observe(facilities)) found.set(name, observed)
    } catch (error) {
      for (const { name, service } of facilities) found.set(name, unknownService(service, messageOf(error)))
    }
    for (const [name, observed] of found) options.update(name, observed, lookedAt)
    return [...found].some(
      ([name, { state, pid }]) => state !== before.get(name)?.state || pid !== before.get(name)?.pid,
    )
  }

  return {
    until,
    settle,
    hint,
    facilitiesChanged,
    [Symbol.dispose]() {
      disposed = true
      for (const poll of polls.values()) poll.hurry()
      for (const waiter of all()) waiter.reject(new ReeveError('aborted', 'Reeve is ending'))
    },
  }
}

function addTo<K>(groups: Map<K, Set<Waiter>>, key: K, waiter: Waiter): void {
  groups.set(key, (groups.get(key) ?? new Set()).add(waiter))
}

function removeFrom<K>(groups: Map<K, Set<Waiter>>, key: K, waiter: Waiter): void {
  const group = groups.get(key)
  group?.delete(waiter)
  if (group?.size === 0) groups.delete(key)
}

interface Poll {
  /** Restarts the intervals from the shortest one. */
  hurry(): void
}

interface Pauses extends Poll {
  /** Length of the next pause in ms. */
  next(): number
  /** Waits for the pause, which `hurry` shortens to the first interval. */
  take(): Promise<void>
}

function createPauses(clock: Clock): Pauses {
  let pause = FIRST_PAUSE
  let wake: (() => void) | undefined
  return {
    hurry() {
      pause = FIRST_PAUSE
      wake?.()
    },
    next: () => pause,
    async take() {
      const rest = pause - FIRST_PAUSE
      pause = Math.min(2 * pause, LONGEST_PAUSE)
      await clock.sleep(FIRST_PAUSE)
      if (rest === 0 || pause === FIRST_PAUSE) return
      await new Promise<void>(resolve => {
        const timer = clock.after(rest, resolve)
        wake = () => {
          timer[Symbol.dispose]()
          resolve()
        }
      })
      wake = undefined
    },
  }
}

function notReady({ message }: { readonly message: string }): ReeveError {
  return new ReeveError('not-ready', message)
}
