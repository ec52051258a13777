import { dependentsOf } from './dependency-order.ts'
import type { FacilityPlan, Step } from './step.ts'
import { findStart } from './step-chain.ts'

/**
 * Adds the needs between facilities (E13): a start waits for the starts of what it depends on; a stop or removal, for
 * the stops of what depends on it. `needs` has the `dependsOn` of each facility, of removed ones from their marker.
 */
export function linkFacilities(
  plans: readonly FacilityPlan[],
  needs: ReadonlyMap<string, readonly string[]>,
): FacilityPlan[] {
  const byName = new Map(plans.map(plan => [plan.name, plan]))
  const dependents = dependentsOf(needs)
  return plans.map(plan => {
    if (plan.steps.length === 0) return plan
    const start = findStart(plan.steps)
    const extra = new Map<Step, string[]>()
    if (start) extra.set(start, idsOf(needs.get(plan.name), byName, findStart))
    for (const step of plan.steps) {
      if (step.verb === 'stop') extra.set(step, idsOf(dependents.get(plan.name), byName, findLastStop))
    }
    const firstRemoval = plan.steps.find(step => step.verb === 'remove')
    if (firstRemoval && plan.change === 'remove' && !plan.steps.some(step => step.verb === 'stop')) {
      extra.set(firstRemoval, idsOf(dependents.get(plan.name), byName, findLastStop))
    }
    return {
      ...plan,
      steps: plan.steps.map(step => {
        const more = extra.get(step)
        return more && more.length > 0 ? { ...step, needs: [...new Set([...step.needs, ...more])].sort() } : step
      }),
    }
  })
}

function findLastStop(steps: readonly Step[]): Step | undefined {
  return steps.findLast(step => step.verb === 'stop')
}

function idsOf(
  names: readonly string[] | undefined,
  byName: ReadonlyMap<string, FacilityPlan>,
  find: (steps: readonly Step[]) => Step | undefined,
): string[] {
  const ids: string[] = []
  for (const name of names ?? []) {
    const step = find(byName.get(name)?.steps ?? [])
    if (step) ids.push(step.id)
  }
  return ids
}
