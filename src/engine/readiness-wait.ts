import type { Facility } from '../core/facility.ts'
import { type Observed, unknownService } from '../core/observed.ts'
import { type Readiness, RUN_FAILED, STARTUP_TIMEOUT } from '../core/readiness.ts'
import { messageOf, ReeveError } from '../core/reeve-error.ts'
import type { Clock } from '../host/clock.ts'
import { createAbortSharing } from './abort-sharing.ts'

/** Those who wait for facilities to become ready. While anybody waits, what is waited for is looked at again and again. */
export interface ReadinessWaits {
  /** Rejects with ReeveError `not-ready`, and with the signal's reason on abort. */
  until(facility: string, signal: AbortSignal, options: WaitOptions): Promise<void>
  /** Something new is known of the facility. */
  settle(facility: string): void
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
  /** Looks at facilities of one supervisor; the answer is by name. */
  observe(facilities: readonly Facility[]): Promise<ReadonlyMap<string, Observed>>
  /** `lookedAt`: when the look began, in ms since 1970. */
  update(name: string, observed: Observed, lookedAt: number): void
}

interface Waiter {
  readonly facility: string
  readonly options: WaitOptions
  /** True once the facility was observed after the wait began: what was seen before may be of an older process. */
  isFresh: boolean
  /** When it was first seen to have failed. */
  failedSince: number | undefined
  resolve(): void
  reject(error: unknown): void
}

/** How often those that somebody waits for are looked at, in milliseconds. */
const WAITING_INTERVAL = 50

/** How long (ms) a service may take to get up at least, and then it has to be up for its `readyAfter`. */
const MINIMUM_WAIT = 1_000

/** A service that has been `failed` for so long (ms) won't come up by itself: some supervisors pass through it. */
const FAILED_FOR_GOOD = 1_000

export function createReadinessWaits(options: ReadinessWaitsOptions): ReadinessWaits {
  const { clock } = options
  /** By facility: with thousands, nobody may go through all of them for each. */
  const waiters = new Map<string, Set<Waiter>>()
  const aborts = createAbortSharing()
  /** Supervisors whose services are being looked at: each by itself, so that a slow one delays no others (E5). */
  const polled = new Set<string>()
  let disposed = false

  function until(name: string, signal: AbortSignal, wait: WaitOptions): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason)
      const { health, readyAfter = 0 } = options.facility(name) ?? {}
      const timeout = Math.max(health?.startupTimeout ?? STARTUP_TIMEOUT, MINIMUM_WAIT + readyAfter)
      const end = (): void => {
        remove(waiter)
        deadline?.[Symbol.dispose]()
        abort[Symbol.dispose]()
      }
      const waiter: Waiter = {
        facility: name,
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
      const abort = aborts.listen(signal, () => waiter.reject(signal.reason))
      const others = waiters.get(name)
      if (others) others.add(waiter)
      else waiters.set(name, new Set([waiter]))
      seeTo(waiter)
    })
  }

  function remove(waiter: Waiter): void {
    const others = waiters.get(waiter.facility)
    others?.delete(waiter)
    if (others?.size === 0) waiters.delete(waiter.facility)
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
    else if (!polled.has(facility.supervisor)) void poll(facility.supervisor)
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
    waiter.failedSince ??= clock.elapsed()
    return clock.elapsed() - waiter.failedSince >= FAILED_FOR_GOOD
  }

  /** Looks at what is waited for under one supervisor, until nothing is. */
  async function poll(supervisor: string): Promise<void> {
    polled.add(supervisor)
    while (!disposed) {
      const asked = all().filter(waiter => options.facility(waiter.facility)?.supervisor === supervisor)
      if (asked.length === 0) break
      await look(new Set(asked.map(waiter => waiter.facility)))
      for (const waiter of asked) {
        waiter.isFresh = true
        if (waiters.get(waiter.facility)?.has(waiter)) judge(waiter)
      }
      await clock.sleep(WAITING_INTERVAL)
    }
    polled.delete(supervisor)
  }

  async function look(names: ReadonlySet<string>): Promise<void> {
    const facilities = [...names].flatMap(name => options.facility(name) ?? [])
    const lookedAt = clock.now()
    try {
      for (const [name, observed] of await options.observe(facilities)) options.update(name, observed, lookedAt)
    } catch (error) {
      for (const { name, service } of facilities)
        options.update(name, unknownService(service, messageOf(error)), lookedAt)
    }
  }

  return {
    until,
    settle,
    facilitiesChanged,
    [Symbol.dispose]() {
      disposed = true
      for (const waiter of all()) waiter.reject(new ReeveError('aborted', 'Reeve is ending'))
    },
  }
}

function notReady({ message }: { readonly message: string }): ReeveError {
  return new ReeveError('not-ready', message)
}
