import type { Undone } from '../../core/contracts/apply-outcome.ts'
import type { FacilityPlan, Plan } from '../../core/plan/step.ts'
import { readinessOf } from '../../core/state/readiness.ts'
import { locationKey } from '../../core/state/snapshot.ts'
import { compareText } from '../../core/text/text-order.ts'
import type { Refresh } from '../refresh/refresh.ts'

/**
 * What a pass has come to is told by the look after it, not by its own steps: a service that ended right after, a file that was
 * changed back. `told`: facilities of which it is said already that they aren't as declared. Sorted by name.
 */
export function findUndone(
  { facilities }: Pick<Plan, 'facilities'>,
  after: readonly FacilityPlan[],
  told: ReadonlySet<string>,
): Undone[] {
  const wasBlocked = new Set(facilities.flatMap(({ name, blocked }) => (blocked === undefined ? [] : name)))
  return after
    .filter(({ name, steps, blocked }) => steps.length > 0 || (blocked !== undefined && !wasBlocked.has(name)))
    .filter(({ name }) => !told.has(name))
    .map(({ name, steps, blocked }) => ({ facility: name, steps, ...(blocked === undefined ? {} : { blocked }) }))
    .sort((left, right) => compareText(left.facility, right.facility))
}

/**
 * Those that were ready and aren't any more, though nobody has to do anything about it: one that has ended, and that its supervisor
 * is about to start again. Their health isn't asked again. `lookedAt` in ms since 1970. In the order of the targets.
 */
export function findUnready(
  { plan, refresh, lookedAt }: { readonly plan: Plan; readonly refresh: Refresh; readonly lookedAt: number },
  told: ReadonlySet<string>,
): { readonly facility: string; readonly message: string }[] {
  const due = plan.facilities.filter(({ steps, blocked }) => steps.length > 0 || blocked !== undefined)
  const excused = new Set([...told, ...due.map(({ name }) => name)])
  return refresh.targets.flatMap(({ facility }) => {
    if (facility.suspend || excused.has(facility.name)) return []
    const observed = refresh.snapshot.services.get(locationKey(facility))
    const { ready, message } = readinessOf(facility, observed, facility.health ? 'healthy' : 'none', lookedAt)
    return ready ? [] : [{ facility: facility.name, message: `it was ready, and then: ${message}` }]
  })
}
