import type { FacilityPlan, Step } from '../core/step.ts'

/**
 * Of the plans that could begin now, those that may. One that stops a service waits till those that use it have stopped
 * (E13): while such a one has to wait itself (for its next try, or for its removal to be certain), the other must not
 * begin, for the executor only knows of what is under way.
 */
export function withoutOvertaking(
  ready: readonly FacilityPlan[],
  all: readonly FacilityPlan[],
): { readonly begin: readonly FacilityPlan[]; readonly deferred: readonly FacilityPlan[] } {
  const stops = new Map<string, string>()
  for (const plan of all) for (const step of plan.steps) if (step.verb === 'stop') stops.set(step.id, plan.name)
  const starting = new Set(ready.map(plan => plan.name))
  const mustWait = (step: Step): boolean =>
    step.needs.some(id => {
      const holder = stops.get(id)
      return holder !== undefined && !starting.has(holder)
    })
  for (let size = -1; size !== starting.size; ) {
    size = starting.size
    for (const plan of ready) if (starting.has(plan.name) && plan.steps.some(mustWait)) starting.delete(plan.name)
  }
  return {
    begin: ready.filter(plan => starting.has(plan.name)),
    deferred: ready.filter(plan => !starting.has(plan.name)),
  }
}
