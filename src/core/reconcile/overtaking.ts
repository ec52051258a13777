import type { FacilityPlan, Step } from '../plan/step.ts'
import { bringsUp } from '../plan/step-builder.ts'

/**
 * Of the plans that could begin now, those that must not yet. A step waits for those that it needs of other facilities
 * (E13); while such a facility has to wait itself (for its next try, or for its removal to be certain), the plan must not
 * begin, for the executor only knows of what is under way. It may where it needs a start only: then it waits for the
 * facility to become ready, whoever starts it.
 */
export function findOvertaking(ready: readonly FacilityPlan[], all: readonly FacilityPlan[]): FacilityPlan[] {
  const holders = new Map<string, string>()
  for (const plan of all) for (const step of plan.steps) if (!bringsUp(step)) holders.set(step.id, plan.name)
  const starting = new Set(ready.map(plan => plan.name))
  const mustWait = (step: Step): boolean =>
    step.needs.some(id => {
      const holder = holders.get(id)
      return holder !== undefined && !starting.has(holder)
    })
  for (let size = -1; size !== starting.size; ) {
    size = starting.size
    for (const plan of ready) if (starting.has(plan.name) && plan.steps.some(mustWait)) starting.delete(plan.name)
  }
  return ready.filter(plan => !starting.has(plan.name))
}
