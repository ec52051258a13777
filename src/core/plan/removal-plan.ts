import { addTo } from '../list-map.ts'
import { locationKey, type OwnedLocation } from '../state/snapshot.ts'
import { planFileRemovals } from './file-removal.ts'
import type { PlanContext } from './plan-input.ts'
import type { Reason } from './reason.ts'
import type { FacilityPlan } from './step.ts'
import { createStepBuilder, keptFiles } from './step-builder.ts'

/** Orphaned services, whose facility is no longer declared (E9), by facility name. */
export function findOrphans(context: PlanContext): Map<string, OwnedLocation[]> {
  const orphans = new Map<string, OwnedLocation[]>()
  for (const [key, location] of context.owned) {
    const { facility, prune } = location.ownership
    if (!prune || context.claimed.has(key)) continue
    if (context.declared.has(facility) || context.newNames.has(facility)) continue
    if (context.suspended?.has(facility)) continue
    addTo(orphans, facility, location)
  }
  return orphans
}

/** Stops and removes a facility. The definition is removed last, as its marker names what else to remove. */
export function planRemoval(
  name: string,
  locations: readonly OwnedLocation[],
  reason: Reason,
  context: Pick<PlanContext, 'snapshot' | 'declaredFiles' | 'claims'>,
): FacilityPlan {
  const [main] = locations
  const base = { name, supervisor: main?.supervisor ?? '', service: main?.service ?? '' }
  const chain = createStepBuilder(name)
  for (const location of locations) {
    const elsewhere = location === main ? {} : { target: location }
    const observed = context.snapshot.services.get(locationKey(location))
    if (!observed || observed.state === 'unknown') {
      const why = observed?.message ?? 'the supervisor said nothing of it'
      return { ...base, change: 'none', steps: [], blocked: `it is to be removed, but its state is unknown: ${why}` }
    }
    const isDown = observed.state === 'stopped' || observed.state === 'absent' || observed.state === 'failed'
    if (!isDown && !location.ownership.isAddition) {
      chain.add('stop', reason, elsewhere)
    }
    planFileRemovals(location, reason, elsewhere, context, chain)
    chain.add('remove', reason, elsewhere)
  }
  return { ...base, change: 'remove', steps: chain.steps, ...keptFiles(chain) }
}
