import type { Facility } from '../../core/model/facility.ts'
import { type Applied, findRenames } from '../../core/plan/plan-input.ts'
import { type Location, locationKey, type Snapshot } from '../../core/state/snapshot.ts'

/** Puts new observations into an earlier snapshot. `asked`: the supervisors that were asked. */
export function patchSnapshot(before: Snapshot, now: Snapshot, asked: ReadonlyMap<string, unknown>): Snapshot {
  const isObserved = (location: Location): boolean =>
    now.services.has(locationKey(location)) || now.unavailable.has(location.supervisor)
  const isGone = (key: string): boolean => now.unavailable.has(key.slice(0, key.indexOf('/')))
  const controllers = [...(before.controllers ?? []), ...(now.controllers ?? [])]
  return {
    services: new Map([...[...before.services].filter(([key]) => !isGone(key)), ...now.services]),
    owned: [...before.owned.filter(location => !isObserved(location)), ...now.owned],
    unavailable: new Map([...[...before.unavailable].filter(([name]) => !asked.has(name)), ...now.unavailable]),
    files: new Map([...before.files, ...now.files]),
    ...(before.ties && { ties: before.ties }),
    ...(before.formerTies && { formerTies: before.formerTies }),
    places: new Map([...(before.places ?? []), ...(now.places ?? [])]),
    controllers: [...new Map(controllers.map(location => [locationKey(location), location])).values()],
  }
}

/** Locations of facilities besides the declared ones: the old side of a move (E14). */
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
