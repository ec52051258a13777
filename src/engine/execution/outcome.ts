import type { ApplyOutcome, Undone } from '../../core/contracts/apply-outcome.ts'
import type { FacilityPlan, Plan } from '../../core/plan/step.ts'
import { readinessOf, STARTING } from '../../core/state/readiness.ts'
import { locationKey } from '../../core/state/snapshot.ts'
import type { Trouble } from '../../core/state/trouble.ts'
import { compareText } from '../../core/text/text-order.ts'
import type { PlanRun } from '../refresh/plan-run.ts'
import type { Refresh } from '../refresh/refresh.ts'
import { describeUndoing, sightingOf, type UndoingWatch } from './undoing-watch.ts'

/**
 * Outcome of a pass by the snapshot after it, which knows of services that ended right after their start and of files that were
 * changed back. `others`: plans of facilities that the snapshot leaves out.
 */
export function evaluateOutcome(
  outcome: ApplyOutcome,
  after: Pick<PlanRun, 'plan' | 'refresh' | 'lookedAt'>,
  others: readonly FacilityPlan[] = [],
): ApplyOutcome {
  // For facilities that were ready and are being started again, `findUnready` says more.
  const lasting = (after.plan.troubles ?? []).filter(({ reason }) => reason !== STARTING)
  const whole = withTroubles(outcome, lasting)
  const unready = findUnready(after, reportedIn(whole))
  const notReady = sortByFacility([...whole.notReady, ...unready])
  const seen = [...after.plan.facilities, ...others]
  return withHindrances({ ...whole, notReady, undone: findUndone(outcome.plan, seen, reportedIn(whole)) }, after)
}

/** Facilities whose steps were done and that have steps again. `reported`: facilities that the outcome names already. Sorted by name. */
export function findUndone(
  { facilities }: Pick<Plan, 'facilities'>,
  after: readonly FacilityPlan[],
  reported: ReadonlySet<string>,
): Undone[] {
  const wasBlocked = new Set(facilities.flatMap(({ name, blocked }) => (blocked === undefined ? [] : name)))
  return after
    .filter(({ name, steps, blocked }) => steps.length > 0 || (blocked !== undefined && !wasBlocked.has(name)))
    .filter(({ name }) => !reported.has(name))
    .map(({ name, steps, blocked }) => ({ facility: name, steps, ...(blocked === undefined ? {} : { blocked }) }))
    .sort((left, right) => compareText(left.facility, right.facility))
}

/**
 * Facilities that were ready and no longer are, though they have no steps: for instance, those that their supervisor is about to
 * restart. Their health is not probed again.
 */
function findUnready(
  { plan, refresh, lookedAt }: Pick<PlanRun, 'plan' | 'refresh' | 'lookedAt'>,
  reported: ReadonlySet<string>,
): ApplyOutcome['notReady'] {
  const due = plan.facilities.filter(({ steps, blocked }) => steps.length > 0 || blocked !== undefined)
  const excused = new Set([...reported, ...due.map(({ name }) => name)])
  return refresh.targets.flatMap(({ facility }) => {
    if (facility.suspend || excused.has(facility.name)) return []
    const observed = refresh.snapshot.services.get(locationKey(facility))
    const { ready, message } = readinessOf(facility, observed, facility.health ? 'healthy' : 'none', lookedAt)
    return ready ? [] : [{ facility: facility.name, message: `it was ready, and then: ${message}` }]
  })
}

/** Adds facilities that became ready and are in trouble at the end, such as a crash loop. */
export function withTroubles(outcome: ApplyOutcome, troubles: readonly Trouble[]): ApplyOutcome {
  const reported = reportedIn(outcome)
  const more = troubles.flatMap(({ facility, message }) => (reported.has(facility) ? [] : { facility, message }))
  return { ...outcome, notReady: sortByFacility([...outcome.notReady, ...more]) }
}

/** Facilities that the outcome names as failed or not ready. */
export function reportedIn({ failed, notReady }: Pick<ApplyOutcome, 'failed' | 'notReady'>): Set<string> {
  return new Set([...failed, ...notReady].map(({ facility }) => facility))
}

/** Adds hindrances of the host to the messages of facilities that did not become ready, where they lack them. */
export function withHindrances(outcome: ApplyOutcome, { refresh }: { readonly refresh: Refresh }): ApplyOutcome {
  const hindrances = new Map(
    refresh.targets.map(({ facility }) => [
      facility.name,
      refresh.snapshot.services.get(locationKey(facility))?.hindrance,
    ]),
  )
  const notReady = outcome.notReady.map(({ facility, message }) => {
    const hindrance = hindrances.get(facility)
    const isTold = hindrance === undefined || message.includes(hindrance)
    return { facility, message: isTold ? message : `${message}; ${hindrance}` }
  })
  return { ...outcome, notReady }
}

/** Adds who most likely undid a step (E21), where that is known. */
export function withCauses(outcome: ApplyOutcome, undoings: UndoingWatch, after: PlanRun): ApplyOutcome {
  const causes = findCauses(undoings, after)
  const explain = ({ facility, message }: ApplyOutcome['failed'][number]) => {
    const cause = causes.get(facility)
    return { facility, message: cause === undefined ? message : `${message}; ${cause}` }
  }
  const undone = outcome.undone.map(one => {
    const cause = causes.get(one.facility)
    return { ...one, ...(cause !== undefined && { cause }) }
  })
  return { ...outcome, failed: outcome.failed.map(explain), notReady: outcome.notReady.map(explain), undone }
}

/** Causes of undone steps, by facility, in words. The first snapshot is only remembered, as no step came before it. */
export function findCauses(undoings: UndoingWatch, { plan, refresh, elapsedAt }: PlanRun): Map<string, string> {
  const undone = new Map<string, string>()
  const byName = new Map(plan.facilities.map(facility => [facility.name, facility]))
  for (const { facility } of refresh.targets) {
    const found = byName.get(facility.name)
    if (!found || found.blocked !== undefined || found.suspended) continue
    const sighting = sightingOf(elapsedAt, refresh.snapshot.services.get(locationKey(facility)))
    const undoing = undoings.seen(facility.name, facility.digest, found.steps, sighting)
    if (undoing && !undoing.isAttempt) undone.set(facility.name, describeUndoing(undoing))
  }
  return undone
}

function sortByFacility(found: ApplyOutcome['notReady']): ApplyOutcome['notReady'] {
  return found.toSorted((left, right) => compareText(left.facility, right.facility))
}
