import { addTo } from '../list-map.ts'
import { locationKey, type Snapshot } from '../state/snapshot.ts'
import type { FacilityPlan } from './step.ts'
import { findStart } from './step-builder.ts'
import { addNeeds } from './step-order.ts'

/**
 * Where a present definition conflicts with a service, and the declared one is installed in its place, that service is started after
 * the installation: before it, the start would stop a service that nobody means to stop (E21).
 */
export function linkEndingConflicts(
  plans: readonly FacilityPlan[],
  { ties, formerTies }: Pick<Snapshot, 'ties' | 'formerTies'>,
): readonly FacilityPlan[] {
  if (!formerTies || formerTies.size === 0) return plans
  /** Ids of the steps that change definitions, by the identity of the service that the present ones conflict with. */
  const changes = new Map<string, string[]>()
  for (const plan of plans) {
    const change = plan.steps.find(
      ({ verb, target }) => target === undefined && (verb === 'install' || verb === 'remove'),
    )
    if (!change || plan.change === 'remove') continue
    for (const { kind, to } of formerTies.get(locationKey(plan))?.relations ?? []) {
      if (kind === 'conflicts') addTo(changes, to, change.id)
    }
  }
  if (changes.size === 0) return plans
  return plans.map(plan => {
    const start = findStart(plan.steps)
    const identities = start ? (ties?.get(locationKey(plan))?.identities ?? []) : []
    const needed = identities.flatMap(identity => changes.get(identity) ?? [])
    return needed.length === 0 ? plan : addNeeds(plan, step => (step === start ? needed : []))
  })
}
