import { addTo } from '../list-map.ts'
import type { Diagnostic } from '../model/diagnostic.ts'
import type { Facility } from '../model/facility.ts'
import type { Policy } from '../model/host-configuration.ts'
import type { ResolvedFacility } from '../model/resolved-facility.ts'
import type { FileClaims } from '../state/file-claim.ts'
import { placeOf } from '../state/place.ts'
import { type Location, locationKey, type OwnedLocation, type Snapshot } from '../state/snapshot.ts'
import { compareText } from '../text/text-order.ts'
import { findSharedPlaces } from './shared-place.ts'

/** Input of a plan. The same input, in any order, gives the same plan, byte for byte. */
export interface PlanInput {
  readonly targets: readonly ResolvedFacility[]
  /** Declared facilities with steps under way, for which nothing is planned. */
  readonly busy?: readonly Facility[]
  readonly snapshot: Snapshot
  /** Owner whose markers count as Reeve's. */
  readonly owner: string
  /** The last applied state, by facility. It only tells drift from change. */
  readonly applied: ReadonlyMap<string, Applied>
  /** Claims on configuration files, by path. Absent: nothing is known. */
  readonly claims?: FileClaims
  /** Facilities with failing health checks. */
  readonly unhealthy?: ReadonlySet<string>
  /**
   * True: services that wait in their supervisor's backoff are started at once, as a person waits. A controller leaves them to the
   * supervisor (E11), except for the facilities given here, as the cause of their failure is gone.
   */
  readonly startsWaiting?: boolean | ReadonlySet<string>
  /** False: the manifests are incomplete, so that the absence of a facility means nothing (E9). */
  readonly prune: boolean
  /** Facilities suspended by `reeve suspend`: they aren't removed even if no manifest declares them any more. */
  readonly suspended?: ReadonlySet<string>
  readonly diagnostics?: readonly Diagnostic[]
  /** True: the manifests are those of an earlier revision, which came into force again as a newer one failed. */
  readonly isRolledBack?: boolean
  /** Policy of the host. Absent: everything is allowed. */
  readonly policy?: Policy
}

/** The last applied state of a facility, in the record. */
export interface Applied extends Location {
  /** `Facility.digest`. */
  readonly digest: string
  /** Paths of its configuration files. */
  readonly files: readonly string[]
  /** As in `Ownership`, for markers that lack them, or that were written before the process ended. */
  readonly meets?: readonly string[]
  /** See `partsOf`. Absent: a record of an earlier version. */
  readonly parts?: readonly string[]
}

/** Input with the indexes that planning needs. */
export interface PlanContext extends PlanInput {
  /** Owned locations: by `locationKey`, and by facility. */
  readonly owned: ReadonlyMap<string, OwnedLocation>
  readonly ownedBy: ReadonlyMap<string, readonly OwnedLocation[]>
  /** Names of all declared facilities. */
  readonly declared: ReadonlySet<string>
  /** See `findRenames`. In `ownedBy` and `applied` the new names stand for the former ones. */
  readonly newNames: ReadonlyMap<string, string>
  /** Locations that a declared facility claims, by key. */
  readonly claimed: ReadonlySet<string>
  /** Declaring facility of each declared configuration file, by place. */
  readonly declaredFiles: ReadonlyMap<string, string>
  /** Places of configuration files that Reeve's markers name. */
  readonly ownedFiles: ReadonlySet<string>
  /** See `findSharedPlaces`. */
  readonly shared: ReadonlyMap<string, string>
  /**
   * Meeting points of the last applied state at each location, of whichever facility: the marker there may already be that of
   * another one that takes its place.
   */
  readonly meetsAt: ReadonlyMap<string, readonly string[]>
}

export function makeContext(input: PlanInput): PlanContext {
  const owned = new Map<string, OwnedLocation>()
  const ownedBy = new Map<string, OwnedLocation[]>()
  const ownedFiles = new Set<string>()
  const declared = new Set<string>()
  const facilities = [...input.targets.map(target => target.facility), ...(input.busy ?? [])]
  for (const { name } of facilities) declared.add(name)
  const newNames = findRenames(facilities)
  for (const location of [...input.snapshot.owned].sort((a, b) => compareText(locationKey(a), locationKey(b)))) {
    const { owner, facility, files } = location.ownership
    if (owner !== input.owner) continue
    owned.set(locationKey(location), location)
    addTo(ownedBy, newNames.get(facility) ?? facility, location)
    for (const path of files) ownedFiles.add(placeOf(path, input.snapshot))
  }
  const claimed = new Set<string>()
  const declaredFiles = new Map<string, string>()
  for (const facility of facilities) {
    claimed.add(locationKey(facility))
    for (const { path } of facility.files) declaredFiles.set(placeOf(path, input.snapshot), facility.name)
  }
  const applied = applyNewNames(input.applied, newNames)
  const shared = findSharedPlaces(input.targets, input.busy ?? [], input.snapshot)
  const meetsAt = collectMeetings(input.applied)
  return { ...input, applied, owned, ownedBy, ownedFiles, meetsAt, declared, newNames, claimed, declaredFiles, shared }
}

function collectMeetings(applied: PlanInput['applied']): Map<string, string[]> {
  const result = new Map<string, string[]>()
  for (const { meets, ...location } of applied.values()) {
    if (meets) result.set(locationKey(location), [...(result.get(locationKey(location)) ?? []), ...meets])
  }
  return result
}

/** New names by former ones, for former names that no facility has now. */
export function findRenames(facilities: Iterable<Pick<Facility, 'name' | 'renamedFrom'>>): Map<string, string> {
  const all = [...facilities]
  const renames = new Map<string, string>()
  for (const { name, renamedFrom } of all) if (renamedFrom !== undefined) renames.set(renamedFrom, name)
  for (const { name } of all) renames.delete(name)
  return renames
}

/** The last applied state, with that of former names under the new ones. */
export function applyNewNames(
  applied: ReadonlyMap<string, Applied>,
  newNames: ReadonlyMap<string, string>,
): Map<string, Applied> {
  const result = new Map(applied)
  for (const [former, name] of newNames) {
    const before = applied.get(former)
    if (before && !applied.has(name)) result.set(name, before)
  }
  return result
}
