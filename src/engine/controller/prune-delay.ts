import { countOwned, findRemovalProblem, type RemovalLimit } from '../../core/plan/removal-guard.ts'
import type { FacilityPlan, Plan } from '../../core/plan/step.ts'
import type { Snapshot } from '../../core/state/snapshot.ts'
import type { Clock } from '../../host/clock.ts'

/**
 * How long (ms) a manifest has to have been gone before its service is removed. A writer that empties a file before it
 * fills it, or a rename seen in two halves, is over by then.
 */
export const REMOVAL_SETTLING = 2_000

export interface PruneDelay {
  /** True when it has been missing, in every look since the first, for long enough. */
  isSettled(facility: string): boolean
  /** The facilities missing in this look; the others are there. */
  note(missing: ReadonlySet<string>): void
  [Symbol.dispose](): void
}

export function createPruneDelay(clock: Clock, due: () => void): PruneDelay {
  const missingSince = new Map<string, number>()
  let timer: Disposable | undefined
  return {
    isSettled: facility => clock.elapsed() - (missingSince.get(facility) ?? clock.elapsed()) >= REMOVAL_SETTLING,
    note(missing) {
      for (const name of missingSince.keys()) if (!missing.has(name)) missingSince.delete(name)
      let isNew = false
      for (const name of missing) {
        if (missingSince.has(name)) continue
        missingSince.set(name, clock.elapsed())
        isNew = true
      }
      if (!isNew) return
      timer?.[Symbol.dispose]()
      timer = clock.after(REMOVAL_SETTLING, due)
    },
    [Symbol.dispose]: () => timer?.[Symbol.dispose](),
  }
}

/** The facilities of a plan that may go ahead: all but removals that haven't settled, or are too many (E9). */
export function admitRemovals(
  plan: Pick<Plan, 'facilities'>,
  snapshot: Pick<Snapshot, 'owned'>,
  watch: PruneDelay,
  settings: {
    readonly owner: string
    readonly removalLimit: RemovalLimit
    readonly allowRemovals: number
    /** That allows what is refused here. */
    readonly command: string
  },
): { readonly facilities: readonly FacilityPlan[]; readonly problem?: string } {
  const removals = plan.facilities.filter(facility => facility.change === 'remove')
  watch.note(new Set(removals.map(facility => facility.name)))
  if (removals.length === 0) return { facilities: plan.facilities }
  const owned = countOwned(snapshot, settings.owner)
  const problem = findRemovalProblem(plan, owned, settings.removalLimit, settings.command, settings.allowRemovals)
  const facilities = plan.facilities.filter(
    facility => facility.change !== 'remove' || (problem === undefined && watch.isSettled(facility.name)),
  )
  return { facilities, ...(problem === undefined ? {} : { problem }) }
}
