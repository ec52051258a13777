import { dependentsOf, withoutCycles } from './dependency-order.ts'
import type { FacilityPlan, Step } from './step.ts'
import { findStart } from './step-builder.ts'

/**
 * Adds the needs between facilities (E13): starts need the starts of dependencies; stops and removals need those of dependents.
 * `needs` has the `dependsOn` of each facility, for removed ones from their markers; where markers of several revisions form a cycle,
 * some needs are left out.
 */
export function linkFacilities(
  plans: readonly FacilityPlan[],
  needs: ReadonlyMap<string, readonly string[]>,
): FacilityPlan[] {
  const byName = new Map(plans.map(plan => [plan.name, plan]))
  const dependencies = withoutCycles(needs)
  const dependents = dependentsOf(dependencies)
  return plans.map(plan => {
    const start = findStart(plan.steps)
    return addNeeds(plan, step => {
      if (step === start) return idsOf(dependencies.get(plan.name), byName, findStart)
      if (step.verb === 'stop') return idsOf(dependents.get(plan.name), byName, findLastStop)
      if (step.verb === 'remove' && plan.change === 'remove') {
        return idsOf(dependents.get(plan.name), byName, findLastRemoval)
      }
      return []
    })
  })
}

/** Adds needs to the steps of a plan; sorted, without duplicates. */
export function addNeeds(plan: FacilityPlan, moreFor: (step: Step) => readonly string[]): FacilityPlan {
  const steps = plan.steps.map(step => ({ ...step, needs: [...new Set([...step.needs, ...moreFor(step)])].sort() }))
  return { ...plan, steps }
}

function findLastStop(steps: readonly Step[]): Step | undefined {
  return steps.findLast(step => step.verb === 'stop')
}

/** Removal of the facility itself, not of the old service of a move. */
function findLastRemoval(steps: readonly Step[]): Step | undefined {
  return steps.findLast(step => step.verb === 'remove' && step.reason !== 'moved')
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
