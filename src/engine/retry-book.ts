import { type BackoffRule, backoffDelay, RETRY } from '../core/backoff.ts'
import type { Step } from '../core/step.ts'
import type { Clock } from '../host/clock.ts'

/**
 * Who failed how often, and when to try again (E11). Per facility; a new manifest begins anew, and a failure never ends
 * the trying. What has to be done over and over counts as failing too, though each time it succeeds.
 */
export interface RetryBook {
  /** `digest` is the facility's; `''` where it is to be removed. */
  failed(facility: string, digest: string, message: string, rule?: BackoffRule): void
  /** The steps were carried out. */
  done(facility: string, digest: string, steps: readonly Step[]): void
  /** What it failed for is gone: it is as if it had never been tried. */
  forget(facility: string): void
  /** Seen to be as declared, or not. */
  seen(facility: string, asDeclared: boolean): void
  /** True if its time hasn't come yet. A digest other than the one that failed is always welcome. */
  isHeld(facility: string, digest: string): boolean
  /** What is seen to be as declared has no step that failed, whatever the last try came to; it may still not have lasted. */
  failures(facility: string, digest: string): { readonly count: number; readonly message: string | undefined }
  /** Facilities other than these are forgotten. */
  keep(facilities: ReadonlySet<string>): void
  [Symbol.dispose](): void
}

interface Entry {
  readonly digest: string
  readonly count: number
  readonly message: string
  readonly notBefore: number
  /** Its steps succeed, and what they bring about doesn't last. */
  readonly isFleeting: boolean
  timer: Disposable
  asDeclaredSince: number | undefined
}

/** As declared for so long (ms), the failures before don't count any more. */
const LASTS_AFTER = 10_000

export function createRetryBook(
  clock: Clock,
  due: (facility: string) => void,
  random: () => number = Math.random,
): RetryBook {
  const entries = new Map<string, Entry>()
  const lastDone = new Map<string, { readonly work: string; readonly at: number }>()

  function fail(
    facility: string,
    digest: string,
    message: string,
    { rule = RETRY, isFleeting = false }: { readonly rule?: BackoffRule; readonly isFleeting?: boolean },
  ): void {
    const before = entries.get(facility)
    before?.timer[Symbol.dispose]()
    const count = before?.digest === digest ? before.count + 1 : 1
    const delay = backoffDelay(count, random(), rule)
    const timer = clock.after(delay, () => due(facility))
    entries.set(facility, {
      digest,
      count,
      message,
      notBefore: clock.elapsed() + delay,
      isFleeting,
      timer,
      asDeclaredSince: undefined,
    })
  }

  function forget(facility: string): void {
    entries.get(facility)?.timer[Symbol.dispose]()
    entries.delete(facility)
  }

  return {
    forget(facility) {
      forget(facility)
      lastDone.delete(facility)
    },
    failed: (facility, digest, message, rule) => fail(facility, digest, message, rule ? { rule } : {}),
    done(facility, digest, steps) {
      const work = `${digest} ${steps.map(step => step.id).join(' ')}`
      const before = lastDone.get(facility)
      lastDone.set(facility, { work, at: clock.elapsed() })
      const cause = steps.find(step => step.reason === 'failed' || step.reason === 'unhealthy')
      const isAgain = before?.work === work && (entries.has(facility) || clock.elapsed() - before.at < LASTS_AFTER)
      if (cause) fail(facility, digest, `it was ${cause.reason}, and has been started again`, { isFleeting: true })
      else if (isAgain) fail(facility, digest, describeUndone(facility, steps), { isFleeting: true })
      else forget(facility)
    },
    seen(facility, asDeclared) {
      const entry = entries.get(facility)
      if (!entry) return
      if (!asDeclared) {
        entry.asDeclaredSince = undefined
        return
      }
      if (entry.asDeclaredSince === undefined) {
        entry.asDeclaredSince = clock.elapsed()
        entry.timer[Symbol.dispose]()
        entry.timer = clock.after(LASTS_AFTER, () => due(facility))
      }
      if (clock.elapsed() - entry.asDeclaredSince >= LASTS_AFTER) forget(facility)
    },
    isHeld(facility, digest) {
      const entry = entries.get(facility)
      return entry !== undefined && entry.digest === digest && clock.elapsed() < entry.notBefore
    },
    failures(facility, digest) {
      const entry = entries.get(facility)
      const isOver = entry !== undefined && !entry.isFleeting && entry.asDeclaredSince !== undefined
      return entry?.digest === digest && !isOver
        ? { count: entry.count, message: entry.message }
        : { count: 0, message: undefined }
    },
    keep(facilities) {
      for (const name of entries.keys()) if (!facilities.has(name)) forget(name)
      for (const name of lastDone.keys()) if (!facilities.has(name)) lastDone.delete(name)
    },
    [Symbol.dispose]() {
      for (const entry of entries.values()) entry.timer[Symbol.dispose]()
      entries.clear()
    },
  }
}

function describeUndone(facility: string, steps: readonly Step[]): string {
  const file = steps.find(step => step.verb === 'write-file')
  const verbs = `it did not last: ${steps.map(step => step.verb).join(', ')}`
  if (file === undefined) return verbs
  return `${verbs}; ${file.path} is overwritten each time, most likely by ${facility} itself: have it leave the file alone, or take the file out of spec.files`
}
