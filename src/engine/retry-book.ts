import { backoffDelay } from '../core/backoff.ts'
import type { Clock } from '../host/clock.ts'

/**
 * Who failed how often, and when to try again (E11). Per facility; a new manifest begins anew, and a failure never ends
 * the trying.
 */
export interface RetryBook {
  /** A try failed, or was one of a kind that must not be repeated at once. */
  failed(facility: string, digest: string, message: string): void
  succeeded(facility: string): void
  /** True if its time hasn't come yet. A digest other than the one that failed is always welcome. */
  isHeld(facility: string, digest: string): boolean
  failures(facility: string): { readonly count: number; readonly message: string | undefined }
  [Symbol.dispose](): void
}

interface Entry {
  digest: string
  count: number
  message: string
  notBefore: number
  timer: Disposable
}

export function createRetryBook(
  clock: Clock,
  due: (facility: string) => void,
  random: () => number = Math.random,
): RetryBook {
  const entries = new Map<string, Entry>()
  return {
    failed(facility, digest, message) {
      const before = entries.get(facility)
      before?.timer[Symbol.dispose]()
      const count = before?.digest === digest ? before.count + 1 : 1
      const delay = backoffDelay(count, random())
      const timer = clock.after(delay, () => due(facility))
      entries.set(facility, { digest, count, message, notBefore: clock.now() + delay, timer })
    },
    succeeded(facility) {
      entries.get(facility)?.timer[Symbol.dispose]()
      entries.delete(facility)
    },
    isHeld(facility, digest) {
      const entry = entries.get(facility)
      return entry !== undefined && entry.digest === digest && clock.now() < entry.notBefore
    },
    failures(facility) {
      const entry = entries.get(facility)
      return { count: entry?.count ?? 0, message: entry?.message }
    },
    [Symbol.dispose]() {
      for (const entry of entries.values()) entry.timer[Symbol.dispose]()
      entries.clear()
    },
  }
}
