import type { ResolvedFacility } from '../model/resolved-facility.ts'
import { definitionExists } from '../state/comparison.ts'
import { isKnown, isWritten } from '../state/file-claim.ts'
import type { Observed } from '../state/observed.ts'
import { isSamePlace, placeOf } from '../state/place.ts'
import { locationKey, type OwnedLocation } from '../state/snapshot.ts'
import { hadDefinition } from './applied-parts.ts'
import type { PlanContext } from './plan-input.ts'

/** Whether Reeve may change the service at the facility's location (E8). */
export function isOurs(target: ResolvedFacility, observed: Observed, context: PlanContext): boolean {
  if (observed.ownership) return observed.ownership.owner === context.owner
  const before = context.applied.get(target.facility.name)
  // A service that was there already, and of which only the state was managed, is still somebody else's.
  return before !== undefined && hadDefinition(before) && isOursByRecord(target, context)
}

/**
 * Whether Reeve may overwrite the configuration file: a marker names it, and Reeve has written it (E19). If the definition was deleted
 * with its marker, the file is known by its content.
 */
export function isOurFile(path: string, target: ResolvedFacility, observed: Observed, context: PlanContext): boolean {
  const found = context.snapshot.files.get(path)
  const claim = context.claims?.get(path)
  if (claim?.isFulfilled && found && isKnown(claim, found)) return true
  return isClaimed(path, target, observed, context) && (!found || isWritten(context.claims?.get(path), found))
}

function isClaimed(path: string, target: ResolvedFacility, observed: Observed, context: PlanContext): boolean {
  if (context.ownedFiles.has(placeOf(path, context.snapshot))) return true
  const isHere = (other: string): boolean => isSamePlace(path, other, context.snapshot)
  if (observed.ownership) return observed.ownership.owner === context.owner && observed.ownership.files.some(isHere)
  const before = context.applied.get(target.facility.name)
  return before?.files.some(isHere) === true && isOursByRecord(target, context)
}

/** Whether the record names this location, and its definition was deleted with the marker. */
function isOursByRecord(target: ResolvedFacility, context: PlanContext): boolean {
  const { facility } = target
  const before = context.applied.get(facility.name)
  return (
    before?.supervisor === facility.supervisor &&
    before.service === facility.service &&
    !definitionExists(target, context.snapshot)
  )
}

export interface OldLocation {
  readonly location: OwnedLocation
  readonly observed: Observed | undefined
}

/** Locations with the facility's marker besides its declared one (E14). */
export function findOldLocations({ facility }: ResolvedFacility, context: PlanContext): OldLocation[] {
  const found: OldLocation[] = []
  for (const location of context.ownedBy.get(facility.name) ?? []) {
    const key = locationKey(location)
    if (context.claimed.has(key)) continue // by itself, or by another that takes it over
    found.push({ location, observed: context.snapshot.services.get(key) })
  }
  return found
}
