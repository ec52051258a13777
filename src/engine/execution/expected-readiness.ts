import type { ApplyOutcome } from '../../core/contracts/apply-outcome.ts'
import type { EngineListener } from '../../core/contracts/engine-event.ts'
import type { FacilityPlan } from '../../core/plan/step.ts'
import { messageOf } from '../../core/reeve-error.ts'
import { locationKey } from '../../core/state/snapshot.ts'
import { compareText } from '../../core/text/text-order.ts'
import type { HealthTracker } from '../health/health-tracker.ts'
import type { PlanRun } from '../refresh/plan-run.ts'

/** Facilities that have to become ready: all but those that are removed, suspended, blocked, or have failed. */
export function findExpected(
  { plan, refresh }: Pick<PlanRun, 'plan' | 'refresh'>,
  failed: ReadonlySet<string>,
): FacilityPlan[] {
  const kept = new Set(refresh.targets.flatMap(({ facility }) => (facility.suspend ? [] : facility.name)))
  return plan.facilities.filter(({ name, blocked }) => kept.has(name) && blocked === undefined && !failed.has(name))
}

/** Facilities without steps that were ready in the snapshot. */
export function findSettled({ plan, refresh, lookedAt }: PlanRun, tracker: HealthTracker): Set<string> {
  const settled = new Set<string>()
  for (const facility of plan.facilities) {
    const observed = refresh.snapshot.services.get(locationKey(facility))
    if (!observed || facility.steps.length > 0) continue
    tracker.update(facility.name, observed, lookedAt)
    if (tracker.readiness(facility.name).ready) settled.add(facility.name)
  }
  return settled
}

/** Waits for each facility within its startup timeout. Returns those that did not become ready, sorted by name. */
export async function awaitReadiness(
  expected: readonly FacilityPlan[],
  tracker: HealthTracker,
  { listener, signal }: { readonly listener: EngineListener; readonly signal: AbortSignal },
): Promise<ApplyOutcome['notReady']> {
  const notReady: { facility: string; message: string }[] = []
  await Promise.all(
    expected.map(async ({ name }) => {
      try {
        if (!tracker.readiness(name).ready)
          listener({ type: 'waiting', facility: name, until: `${name} to become ready` })
        await tracker.whenReady(name, signal, { bounded: true })
        listener({ type: 'ready', facility: name })
      } catch (error) {
        const message = messageOf(error)
        notReady.push({ facility: name, message })
        listener({ type: 'not-ready', facility: name, message })
      }
    }),
  )
  return notReady.sort((left, right) => compareText(left.facility, right.facility))
}
