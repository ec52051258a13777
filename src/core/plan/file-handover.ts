import { placeOf } from '../state/place.ts'
import { locationKey, type OwnedLocation } from '../state/snapshot.ts'
import { withoutCycles } from './dependency-order.ts'
import type { PlanContext } from './plan-input.ts'
import type { FacilityPlan, Step } from './step.ts'
import { addNeeds } from './step-order.ts'

/**
 * Handover of configuration files from one facility to another, which leaves the file in its place. So that a crash never leaves it
 * without a marker (it would no longer count as Reeve's, E8), the old facility's marker releases it only when the new one's has
 * it.
 */

/** Places of declared files whose facility cannot take them over in this plan: their present facility drops them as any other file. */
export function findForsakenFiles(plans: readonly FacilityPlan[], context: PlanContext): Set<string> {
  const forsaken = new Set<string>()
  const byName = new Map(plans.map(plan => [plan.name, plan]))
  // Another facility that takes over the service replaces the marker.
  const replaced = new Set(plans.filter(({ steps }) => steps.some(isInstall)).map(locationKey))
  for (const { facility } of context.targets) {
    if (byName.get(facility.name)?.blocked === undefined && !facility.suspend) continue
    const locations = context.ownedBy.get(facility.name) ?? []
    const own = placesIn(
      locations.filter(location => !replaced.has(locationKey(location))),
      context,
    )
    for (const { path } of facility.files) {
      const place = placeOf(path, context.snapshot)
      if (!own.has(place)) forsaken.add(place)
    }
  }
  return forsaken
}

export function linkHandovers(plans: readonly FacilityPlan[], context: PlanContext): FacilityPlan[] {
  const installs = new Map(plans.map(plan => [plan.name, plan.steps.find(isInstall)?.id]))
  // Of two facilities that swap files, only one waits. None waits for itself.
  const order = withoutCycles(new Map(plans.map(plan => [plan.name, takersFrom(plan, context)])))
  return plans.map(plan => {
    const ids = (order.get(plan.name) ?? []).flatMap(name => installs.get(name) ?? [])
    return addNeeds(plan, step => (isInstall(step) || step.verb === 'remove' ? ids : []))
  })
}

/** Facilities that have or take over files which markers of this facility, or at its location, name now. */
function takersFrom(plan: FacilityPlan, context: PlanContext): string[] {
  const names = new Set<string>()
  const here = context.owned.get(locationKey(plan))
  for (const place of [...ownedFilesOf(plan.name, context), ...placesIn(here ? [here] : [], context)]) {
    const taker = context.declaredFiles.get(place)
    if (taker !== undefined) names.add(taker)
  }
  return [...names]
}

function ownedFilesOf(facility: string, context: PlanContext): Set<string> {
  return placesIn(context.ownedBy.get(facility) ?? [], context)
}

function placesIn(locations: readonly OwnedLocation[], { snapshot }: PlanContext): Set<string> {
  return new Set(locations.flatMap(({ ownership }) => ownership.files.map(path => placeOf(path, snapshot))))
}

function isInstall(step: Step): boolean {
  return step.verb === 'install'
}
