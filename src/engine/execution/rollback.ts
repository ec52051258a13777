import type { ServiceVerb } from '../../core/contracts/provider.ts'
import type { ResolvedFacility } from '../../core/model/resolved-facility.ts'
import type { FacilityPlan, Step } from '../../core/plan/step.ts'
import { bringsUp } from '../../core/plan/step-builder.ts'
import { type Location, locationKey } from '../../core/state/snapshot.ts'

export interface Rollback {
  /** Where the facility ran before the move. */
  readonly old: Location
  readonly steps: readonly (Step & { readonly verb: ServiceVerb })[]
}

/**
 * E14: the new service of a move failed at a step, so the old one is to run again, alone, also after a boot. Undefined
 * if the plan is no move, or the old service hasn't been touched, or was not to run. It may have been stopped by an
 * earlier try that was cut off: the plan then has no stop of it any more, but still its removal.
 */
export function planRollback(
  plan: FacilityPlan,
  target: ResolvedFacility | undefined,
  failed: Step,
): Rollback | undefined {
  const old = plan.steps.find(step => step.verb === 'remove' && step.reason === 'moved')?.target
  if (!old || target?.facility.state !== 'running') return undefined
  const begins = plan.steps.findIndex(step => step.target !== undefined || bringsUp(step))
  if (plan.steps.indexOf(failed) < begins) return undefined
  const steps: (Step & { verb: ServiceVerb })[] = [
    { id: `${plan.name}/stop`, verb: 'stop', reason: 'put-back', needs: [] },
  ]
  if (target.facility.enabled === true) {
    steps.push({ id: `${plan.name}/disable`, verb: 'disable', reason: 'put-back', needs: [] })
  }
  steps.push({
    id: `${plan.name}/start@${locationKey(old)}`,
    verb: 'start',
    reason: 'put-back',
    needs: [],
    target: old,
  })
  return { old, steps }
}
