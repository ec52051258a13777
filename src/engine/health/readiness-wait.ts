import type { Facility } from '../../core/model/facility.ts'
import { messageOf, ReeveError } from '../../core/reeve-error.ts'
import { type Observed, unknownService } from '../../core/state/observed.ts'
import { type Readiness, RUN_FAILED, STARTUP_TIMEOUT } from '../../core/state/readiness.ts'
import type { Clock } from '../../host/clock.ts'

/**
 * Those who wait for facilities to become ready. While anybody waits, what is waited for is looked at again: when something
 * tells of a change, and else ever more rarely.
 */
export interface ReadinessWaits {
  /** Rejects with ReeveError `not-ready`, and with the signal's reason on abort. */
  until(facility: string, signal: AbortSignal, options: WaitOptions): Promise<void>
  /** Something new is known of the facility. */
  settle(facility: string): void
  /** The facility may be otherwise now: it is looked at, if somebody waits for it. */
  hint(facility: string): void
  /** Facilities came, went, or moved to another supervisor. */
  facilitiesChanged(): void
  [Symbol.dispose](): void
}

export interface WaitOptions {
  /** True: rejects when the startup timeout is over, or the service has failed for good. False: waits as long as it takes. */
  readonly bounded: boolean
  /** True: others are to use it. That it is stopped, as declared, isn't enough then. */
  readonly serving?: boolean
}

interface ReadinessWaitsOptions {
  readonly clock: Clock
  facility(name: string): Facility | undefined
  observed(name: string): Observed | undefined
  readiness(name: string): Readiness
  /** The supervisor's events, by service; undefined where it has none, or somebody else looks whenever there is one. */
  watch?(supervisor: string, hint: (service?: string) => void): Disposable | undefined
  /** Looks at facilities of one supervisor; the answer is by name. */
  observe(facilities: readonly Facility[]): Promise<ReadonlyMap<string, Observed>>
  /** `lookedAt`: when the look began, in ms since 1970. */
  update(name: string, observed: Observed, lookedAt: number): void
}

interface Waiter {
  readonly facility: string
  readonly signal: AbortSignal
  readonly options: WaitOptions
  /** True once the facility was observed after the wait began: what was seen before may be of an older process. */
  isFresh: boolean
  /** When it was first seen to have failed. */
  failedSince: number | undefined
  resolve(): void
  reject(error: unknown): void
}

/** Between two looks at those that somebody waits for, in milliseconds: at first, and doubled while nothing changes, at most. */
const FIRST_PAUSE = 50
const LONGEST_PAUSE = 2_000

/** From this pause on (ms) a supervisor's events are asked for: most services are ready before that would pay. */
const WATCHED_FROM = 200

/** How long (ms) a service may take to get up at least, and then it has to be up for its `readyAfter`. */
const MINIMUM_WAIT = 1_000

/** A service that has been `failed` for so long (ms) won't come up by itself: some supervisors pass through it. */
const FAILED_FOR_GOOD = 1_000

export function createReadinessWaits(options: ReadinessWaitsOptions): ReadinessWaits {
  const { clock } = options
  /** By facility: with thousands, nobody may go through all of them for each. */
  const waiters = new Map<string, Set<Waiter>>()
  /** Each signal has one listener: Node goes through all listeners of a signal for each that comes or goes. */
  const bySignal = new Map<AbortSignal, Set<Waiter>>()
  /** Supervisors whose services are being looked at: each by itself, so that a slow one delays no others (E5). */
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
      seeTo(waiter)
      const supervisor = options.facility(name)?.supervisor
      // What was seen before may be of an older process: it is looked at now.
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
    for (const waiter of all()) seeTo(waiter)
  }

  /** That what it waits for is looked at. */
  function seeTo(waiter: Waiter): void {
    const facility = options.facility(waiter.facility)
    if (!facility) waiter.reject(notReady({ message: `there is no facility ${waiter.facility} any more` }))
    else if (!polls.has(facility.supervisor)) void poll(facility.supervisor)
  }

  function settle(name: string): void {
    for (const waiter of [...(waiters.get(name) ?? [])]) if (waiter.isFresh) judge(waiter)
  }

  function judge(waiter: Waiter): void {
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

  /** Looks at what is waited for under one supervisor, until nothing is. */
  async function poll(supervisor: string): Promise<void> {
    const pauses = createPauses(clock)
    polls.set(supervisor, pauses)
    let watch: Disposable | undefined
    while (!disposed) {
      const asked = all().filter(waiter => options.facility(waiter.facility)?.supervisor === supervisor)
      if (asked.length === 0) break
      if (await look(new Set(asked.map(waiter => waiter.facility)))) pauses.hurry()
      for (const waiter of asked) {
        waiter.isFresh = true
        if (waiters.get(waiter.facility)?.has(waiter)) judge(waiter)
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

  /** Whether something has changed since the last look. */
  async function look(names: ReadonlySet<string>): Promise<boolean> {
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
  /** The next look comes soon, and those after it as if it were the first. */
  hurry(): void
}

interface Pauses extends Poll {
  /** How long the pause to come is, in milliseconds. */
  next(): number
  /** Ends sooner where somebody is in a hurry, but not before the first pause is over. */
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
