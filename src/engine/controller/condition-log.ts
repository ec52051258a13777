import type { Log } from '../../core/contracts/log.ts'
import { type FacilityStatus, isSuspended, isUndeclared } from '../../core/contracts/status.ts'
import { type Condition, findCondition } from '../../core/reconcile/conditions.ts'
import { RUN_FAILED } from '../../core/state/readiness.ts'
import type { Clock } from '../../host/clock.ts'

/**
 * Logs conditions that no failing step reports: once when one begins, again every hour while it lasts, and once when it is over
 * (PITFALLS 15).
 */
export interface ConditionLog {
  /** Status of all facilities. `digestOf` a manifest: with a new one, conditions are logged anew. */
  note(facilities: readonly FacilityStatus[], digestOf: (facility: string) => string | undefined): void
  /** Number of facilities with a logged condition, those that recovered only a moment ago included. */
  readonly size: number
  [Symbol.dispose](): void
}

interface Trouble {
  readonly digest: string | undefined
  /** Reasons logged since it began: one that comes and goes is logged once. */
  readonly told: Set<string>
  toldAt: number
  /** Timer that runs while the facility is well, until the condition counts as over. */
  end: Disposable | undefined
}

/** Time in ms until a lasting condition is logged again. */
const REMINDER = 3_600_000

/** Time in ms that a facility has to be well before its condition is over: in a crash loop it runs for moments. */
export const OVER_AFTER = 10_000

/** Reasons that don't pass by waiting. Every start and stop goes through the others. */
const LASTING_REASONS: ReadonlySet<string> = new Set(['Unhealthy', 'Failed', RUN_FAILED])

/** Reasons that the output of the service may explain. */
const TOLD_BY_OUTPUT: ReadonlySet<string> = new Set([...LASTING_REASONS, 'CrashLooping', 'FailedForGood'])

export function createConditionLog(clock: Clock, log: Log): ConditionLog {
  const troubles = new Map<string, Trouble>()

  function noteOne(status: FacilityStatus, digest: string | undefined): void {
    const { name } = status
    const found = findTrouble(status)
    let trouble = troubles.get(name)
    if (found || !isWell(status)) stopEnding(trouble)
    else if (trouble) trouble.end ??= clock.after(OVER_AFTER, () => end(name))
    if (!found) return
    if (trouble?.digest !== digest) {
      // While the newer manifest is being applied, the status is still that of the older one.
      if (trouble && isUnderWay(status)) return
      trouble = { digest, told: new Set(), toldAt: clock.elapsed(), end: undefined }
      troubles.set(name, trouble)
    }
    if (trouble) tell(status, trouble, found)
  }

  function tell(
    { name: facility, output }: FacilityStatus,
    trouble: Trouble,
    { reason, message }: Pick<Condition, 'reason' | 'message'>,
  ): void {
    const isNew = !trouble.told.has(reason)
    if (!isNew && clock.elapsed() - trouble.toldAt < REMINDER) return
    trouble.told.add(reason)
    trouble.toldAt = clock.elapsed()
    const place = output === undefined || !TOLD_BY_OUTPUT.has(reason) ? '' : `; see ${output}`
    log.warn({ facility, reason }, `${facility}: ${isNew ? '' : 'still '}not as declared: ${message}${place}`)
  }

  function end(facility: string): void {
    troubles.delete(facility)
    log.info({ facility }, `${facility}: as declared again`)
  }

  function forget(facility: string): void {
    stopEnding(troubles.get(facility))
    troubles.delete(facility)
  }

  return {
    note(facilities, digestOf) {
      const kept = new Set<string>()
      for (const status of facilities) {
        if (isUndeclared(status) && status.pending === undefined) continue
        kept.add(status.name)
        noteOne(status, digestOf(status.name))
      }
      for (const name of troubles.keys()) if (!kept.has(name)) forget(name)
    },
    get size() {
      return troubles.size
    },
    [Symbol.dispose]() {
      for (const name of troubles.keys()) forget(name)
    },
  }
}

function stopEnding(trouble: Trouble | undefined): void {
  trouble?.end?.[Symbol.dispose]()
  if (trouble) trouble.end = undefined
}

function findTrouble(status: FacilityStatus): Pick<Condition, 'reason' | 'message'> | undefined {
  const { conditions, pending } = status
  if (pending !== undefined) {
    return { reason: 'Drifted', message: `${isSuspended(status) ? 'suspended' : 'report mode'}; ${pending}` }
  }
  const stalled = findCondition(conditions, 'Stalled')
  if (stalled?.status === 'True') return stalled
  const ready = findCondition(conditions, 'Ready')
  return ready?.status === 'False' && LASTING_REASONS.has(ready.reason) ? ready : undefined
}

function isWell({ conditions, pending }: FacilityStatus): boolean {
  return pending === undefined && findCondition(conditions, 'Ready')?.status === 'True'
}

function isUnderWay({ conditions }: FacilityStatus): boolean {
  return findCondition(conditions, 'Reconciling')?.reason === 'UnderWay'
}
