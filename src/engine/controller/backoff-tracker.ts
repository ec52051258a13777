import type { Step } from '../../core/plan/step.ts'
import { type BackoffRule, backoffDelay, RETRY, STALLED_AFTER, UNDONE_RETRY } from '../../core/reconcile/backoff.ts'
import type { Clock } from '../../host/clock.ts'

/**
 * Who failed how often, and when to try again (E11). Per facility; a new manifest begins anew, and a failure never ends
 * the trying. What has to be done over and over counts as failing too, though each time it succeeds.
 */
export interface BackoffTracker {
  /** `digest` is the facility's; `''` where it is to be removed. */
  failed(facility: string, digest: string, message: string, rule?: BackoffRule): void
  /** The steps were carried out. */
  done(facility: string, digest: string, steps: readonly Step[]): void
  /** What it failed for is gone: it is as if it had never been tried. */
  forget(facility: string): void
  /** Seen to be as declared, or not. */
  seen(facility: string, asDeclared: boolean): void
  /**
   * These undo one another: all are held, and tried again rarely. They are over it together, when all are as declared for a while.
   */
  undone(circle: readonly string[], digestOf: (facility: string) => string, message: string): void
  /** One of those is declared anew, or not any more: the others needn't be held because of it. */
  release(facility: string): void
  /** By `Clock.elapsed`; undefined: it may be tried now, as any digest may but the one that failed. */
  heldUntil(facility: string, digest: string): number | undefined
  /** What is seen to be as declared has no step that failed, whatever the last try came to; it may still not have lasted. */
  failures(facility: string, digest: string): Failures
  /** Facilities other than these are forgotten. */
  keep(facilities: ReadonlySet<string>): void
  [Symbol.dispose](): void
}

export interface Failures {
  readonly count: number
  readonly message: string | undefined
  /** Other facilities undo its steps, and it theirs. */
  readonly isUndone?: true
}

interface Entry {
  readonly digest: string
  readonly count: number
  /** By which the wait gets longer. */
  readonly tries: number
  readonly message: string
  readonly notBefore: number
  /** Its steps succeed, and what they bring about doesn't last. */
  readonly isFleeting: boolean
  /** It and those that it undoes and is undone by. */
  readonly circle: readonly string[] | undefined
  timer: Disposable
  asDeclaredSince: number | undefined
}

interface FailOptions {
  readonly rule?: BackoffRule
  readonly isFleeting?: boolean
  readonly circle?: readonly string[]
}

const UNDONE = { rule: UNDONE_RETRY, isFleeting: true } as const

/** As declared for so long (ms), the failures before don't count any more. */
const LASTS_AFTER = 10_000

export function createBackoffTracker(
  clock: Clock,
  due: (facility: string) => void,
  random: () => number = Math.random,
): BackoffTracker {
  const entries = new Map<string, Entry>()
  const lastDone = new Map<string, { readonly work: string; readonly at: number }>()

  function fail(
    facility: string,
    digest: string,
    message: string,
    { rule = RETRY, isFleeting = false, circle }: FailOptions,
  ): void {
    const before = entries.get(facility)
    before?.timer[Symbol.dispose]()
    const same = before?.digest === digest ? before : undefined
    const count = Math.max((same?.count ?? 0) + 1, circle ? STALLED_AFTER : 1)
    const tries = same && !circle === !same.circle ? same.tries + 1 : 1
    const delay = backoffDelay(tries, random(), rule)
    const timer = clock.after(delay, () => due(facility))
    entries.set(facility, {
      digest,
      count,
      tries,
      message,
      notBefore: clock.elapsed() + delay,
      isFleeting,
      circle,
      timer,
      asDeclaredSince: undefined,
    })
  }

  /** One of a circle was tried once more: whatever that came to, it lasts till all of them are as declared. */
  function stillUndone(facility: string, digest: string): boolean {
    const entry = entries.get(facility)
    if (!entry?.circle || entry.digest !== digest) return false
    fail(facility, digest, entry.message, { ...UNDONE, circle: entry.circle })
    return true
  }

  function hasLasted(facility: string): boolean {
    const since = entries.get(facility)?.asDeclaredSince
    return since !== undefined && clock.elapsed() - since >= LASTS_AFTER
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
    failed(facility, digest, message, rule) {
      if (!stillUndone(facility, digest)) fail(facility, digest, message, rule ? { rule } : {})
    },
    done(facility, digest, steps) {
      const work = `${digest} ${steps.map(step => step.id).join(' ')}`
      const before = lastDone.get(facility)
      lastDone.set(facility, { work, at: clock.elapsed() })
      const cause = steps.find(step => step.reason === 'failed' || step.reason === 'unhealthy')
      const isAgain = before?.work === work && (entries.has(facility) || clock.elapsed() - before.at < LASTS_AFTER)
      if (stillUndone(facility, digest)) return
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
      const { circle = [facility] } = entry
      if (circle.every(hasLasted)) for (const name of circle) forget(name)
    },
    undone(circle, digestOf, message) {
      for (const name of circle) fail(name, digestOf(name), message, { ...UNDONE, circle })
    },
    release(facility) {
      for (const [name, { circle }] of entries) if (circle?.includes(facility)) forget(name)
    },
    heldUntil(facility, digest) {
      const entry = entries.get(facility)
      return entry?.digest === digest && clock.elapsed() < entry.notBefore ? entry.notBefore : undefined
    },
    failures(facility, digest) {
      const entry = entries.get(facility)
      const isOver = entry !== undefined && !entry.isFleeting && entry.asDeclaredSince !== undefined
      return entry?.digest === digest && !isOver
        ? { count: entry.count, message: entry.message, ...(entry.circle && { isUndone: true }) }
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
  const verbs = `did not last: ${steps.map(step => step.verb).join(', ')}`
  if (file === undefined) return verbs
  return `${verbs}; ${file.path} is overwritten each time, most likely by ${facility} itself: have it leave the file alone, or take the file out of spec.files`
}
