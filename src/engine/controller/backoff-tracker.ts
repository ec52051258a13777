import type { Step } from '../../core/plan/step.ts'
import { type BackoffRule, backoffDelay, RETRY, STALLED_AFTER, UNDONE_RETRY } from '../../core/reconcile/backoff.ts'
import type { Clock } from '../../host/clock.ts'

/**
 * Counts the failures of each facility and says when to try it again (E11). A new manifest starts from zero, and no failure is
 * final. Steps that succeed and have to be repeated count as failures too.
 */
export interface BackoffTracker {
  /** `digest`: the facility's; `''` for a removal. */
  failed(facility: string, digest: string, message: string, rule?: BackoffRule): void
  /** All steps were carried out. */
  done(facility: string, digest: string, steps: readonly Step[]): void
  /** The cause of its failures is gone: they no longer count. */
  forget(facility: string): void
  /** Whether the facility was found as declared. */
  seen(facility: string, asDeclared: boolean): void
  /** Facilities that undo one another: all are held and retried rarely, until all have been as declared for a while. */
  undone(circle: readonly string[], digestOf: (facility: string) => string, message: string): void
  /** The facility was declared anew or withdrawn: those of its circle are no longer held. */
  release(facility: string): void
  /** By `Clock.elapsed`. Undefined: it may be tried now, as may any digest but the one that failed. */
  heldUntil(facility: string, digest: string): number | undefined
  /** Failures that count. A failed step doesn't once the facility was found as declared; a state that did not last still does. */
  failures(facility: string, digest: string): Failures
  /** Forgets all other facilities. */
  keep(facilities: ReadonlySet<string>): void
  [Symbol.dispose](): void
}

export interface Failures {
  readonly count: number
  readonly message: string | undefined
  /** It and other facilities undo each other's steps. */
  readonly isUndone?: true
}

interface Entry {
  readonly digest: string
  readonly count: number
  /** Tries so far, which set the next delay. */
  readonly tries: number
  readonly message: string
  readonly notBefore: number
  /** Its steps succeed, but the state they reach does not last. */
  readonly isFleeting: boolean
  /** Facilities that undo one another, itself included. */
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

/** Time in ms that a facility has to be as declared before its failures no longer count. */
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

  /** Counts another try of a facility in a circle: whatever its result, the circle ends only when all of them are as declared. */
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
      // With something new written, it was another definition that has failed.
      const isNew = steps.some(({ verb }) => verb === 'install' || verb === 'write-file')
      const cause = isNew ? undefined : steps.find(({ reason }) => reason === 'failed' || reason === 'unhealthy')
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
