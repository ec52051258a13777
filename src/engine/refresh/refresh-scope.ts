import type { Facility } from '../../core/model/facility.ts'
import { type Applied, findRenames } from '../../core/plan/plan-input.ts'
import type { FacilityPlan } from '../../core/plan/step.ts'
import { type Location, locationKey, type Snapshot } from '../../core/state/snapshot.ts'
import type { Refresh } from './refresh.ts'

/**
 * What a quick look has to take in besides the facilities that woke it, so that its plan for them is the one that a full
 * look would give (E1): all that they depend on, and those that are blocked because of them.
 */
export function widenScope(
  due: ReadonlySet<string>,
  facilities: ReadonlyMap<string, Facility>,
  plans: ReadonlyMap<string, FacilityPlan>,
): Set<string> {
  const scope = new Set(due)
  const blocked = [...facilities.values()].filter(({ name }) => plans.get(name)?.blocked !== undefined)
  for (let size = -1; size !== scope.size; ) {
    size = scope.size
    for (const { name, dependsOn } of blocked) if (dependsOn.some(needed => scope.has(needed))) scope.add(name)
  }
  // A Set goes on to what is added to it meanwhile.
  for (const name of scope) for (const needed of facilities.get(name)?.dependsOn ?? []) scope.add(needed)
  return scope
}

/** Where these facilities may be besides the place they are declared for: the old side of a move (E14). */
export function findOtherPlaces(
  facilities: readonly Facility[],
  snapshot: Snapshot,
  applied: ReadonlyMap<string, Applied>,
): Location[] {
  const byName = new Map(facilities.map(facility => [facility.name, facility]))
  for (const [former, name] of findRenames(facilities)) {
    const facility = byName.get(name)
    if (facility) byName.set(former, facility)
  }
  const places = new Map<string, Location>()
  const note = (name: string, location: Location): void => {
    const declared = byName.get(name)
    const key = locationKey(location)
    if (declared && key !== locationKey(declared)) places.set(key, location)
  }
  for (const location of snapshot.owned) note(location.ownership.facility, location)
  for (const [name, location] of applied) note(name, location)
  return [...places.values()]
}

/** The last full look, with what a quick one has seen since in its place. */
export function mergeRefreshes(seen: Refresh, quick: Refresh): Refresh {
  const asked = (location: Location): boolean =>
    quick.snapshot.services.has(locationKey(location)) || quick.snapshot.unavailable.has(location.supervisor)
  const isGone = (key: string): boolean => quick.snapshot.unavailable.has(key.slice(0, key.indexOf('/')))
  const services = new Map([...seen.snapshot.services].filter(([key]) => !isGone(key)))
  for (const [key, observed] of quick.snapshot.services) services.set(key, observed)
  const unavailable = new Map([...seen.snapshot.unavailable].filter(([name]) => !quick.availability.has(name)))
  for (const [name, reason] of quick.snapshot.unavailable) unavailable.set(name, reason)
  return {
    targets: quick.targets,
    availability: new Map([...seen.availability, ...quick.availability]),
    snapshot: {
      services,
      owned: [...seen.snapshot.owned.filter(location => !asked(location)), ...quick.snapshot.owned],
      unavailable,
      files: new Map([...seen.snapshot.files, ...quick.snapshot.files]),
      ...(seen.snapshot.ties && { ties: seen.snapshot.ties }),
      places: new Map([...(seen.snapshot.places ?? []), ...(quick.snapshot.places ?? [])]),
      controllers: [...(seen.snapshot.controllers ?? []), ...(quick.snapshot.controllers ?? [])],
    },
  }
}
