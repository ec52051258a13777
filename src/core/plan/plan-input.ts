import type { Diagnostic } from '../model/diagnostic.ts'
import type { Facility } from '../model/facility.ts'
import type { Policy } from '../model/host-configuration.ts'
import type { ResolvedFacility } from '../model/resolved-facility.ts'
import type { FileClaims } from '../state/file-claim.ts'
import { placeOf } from '../state/place.ts'
import { type Location, locationKey, type OwnedLocation, type Snapshot } from '../state/snapshot.ts'
import { compareText } from '../text/text-order.ts'
import { findSharedPlaces } from './shared-place.ts'

/** All that a plan is made from. The same input gives the same plan, byte for byte, in whatever order it comes. */
export interface PlanInput {
  readonly targets: readonly ResolvedFacility[]
  /** Declared, and busy: something is under way for them, so that nothing is planned. */
  readonly untouched?: readonly Facility[]
  readonly snapshot: Snapshot
  /** Whose marker counts as ours. */
  readonly owner: string
  /** What was last brought about, by facility. Only tells drift from change; nothing depends on it otherwise. */
  readonly applied: ReadonlyMap<string, Applied>
  /** What Reeve is known to have written to configuration files, by path. Absent: nothing is known. */
  readonly claims?: FileClaims
  /** Facilities whose health check fails. */
  readonly unhealthy?: ReadonlySet<string>
  /**
   * True: somebody is there who wants it now, and what waits in its supervisor's backoff is started at once. False: for a
   * controller, which leaves that to the supervisor (E11), but for these: what they failed for is gone.
   */
  readonly startsWaiting?: boolean | ReadonlySet<string>
  /** False: the manifests are incomplete, so that the absence of a facility means nothing (E9). */
  readonly prune: boolean
  /** Facilities that a person suspended: nothing of theirs is removed, though no manifest declares them any more. */
  readonly suspended?: ReadonlySet<string>
  readonly diagnostics?: readonly Diagnostic[]
  /** What the host's owner allows. Absent: everything. */
  readonly policy?: Policy
}

/** Kept in the state directory when a facility is found to be as declared. */
export interface Applied extends Location {
  /** `Facility.digest`. */
  readonly digest: string
  /** Paths of its configuration files. */
  readonly files: readonly string[]
  /** As in `Ownership`: for a marker that doesn't say, or that was written before its process ended. */
  readonly meets?: readonly string[]
  /** See `partsOf`. Absent: a record of an earlier version. */
  readonly parts?: readonly string[]
}

/** The input, looked up as planning needs it. */
export interface PlanContext extends PlanInput {
  /** What carries a marker of ours: by `locationKey`, and by facility. */
  readonly owned: ReadonlyMap<string, OwnedLocation>
  readonly ownedBy: ReadonlyMap<string, readonly OwnedLocation[]>
  /** Names of all declared facilities. */
  readonly declared: ReadonlySet<string>
  /** See `findRenames`. In `ownedBy` and `applied` the new names stand for the former ones. */
  readonly newNames: ReadonlyMap<string, string>
  /** Locations that a declared facility claims, by key. */
  readonly claimed: ReadonlySet<string>
  /** Configuration files that are declared, by place, with the facility that declares them. */
  readonly declaredFiles: ReadonlyMap<string, string>
  /** Places of configuration files that a marker of ours names. */
  readonly ownedFiles: ReadonlySet<string>
  /** See `findSharedPlaces`. */
  readonly shared: ReadonlyMap<string, string>
  /**
   * Where the service of a location could meet others when it was last seen to be as declared, whichever facility's it was: its
   * marker may be that of another one by now, which takes its place.
   */
  readonly meetsAt: ReadonlyMap<string, readonly string[]>
}

export function makeContext(input: PlanInput): PlanContext {
  const owned = new Map<string, OwnedLocation>()
  const ownedBy = new Map<string, OwnedLocation[]>()
  const ownedFiles = new Set<string>()
  const declared = new Set<string>()
  const facilities = [...input.targets.map(target => target.facility), ...(input.untouched ?? [])]
  for (const { name } of facilities) declared.add(name)
  const newNames = findRenames(facilities)
  for (const location of [...input.snapshot.owned].sort((a, b) => compareText(locationKey(a), locationKey(b)))) {
    const { owner, facility, files } = location.ownership
    if (owner !== input.owner) continue
    owned.set(locationKey(location), location)
    const name = newNames.get(facility) ?? facility
    const list = ownedBy.get(name)
    if (list) list.push(location)
    else ownedBy.set(name, [location])
    for (const path of files) ownedFiles.add(placeOf(path, input.snapshot))
  }
  const claimed = new Set<string>()
  const declaredFiles = new Map<string, string>()
  for (const facility of facilities) {
    claimed.add(locationKey(facility))
    for (const { path } of facility.files) declaredFiles.set(placeOf(path, input.snapshot), facility.name)
  }
  const applied = applyNewNames(input.applied, newNames)
  const shared = findSharedPlaces(input.targets, input.untouched ?? [], input.snapshot)
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

/** Names that facilities had before, and nobody has now, with the new ones. */
export function findRenames(facilities: Iterable<Pick<Facility, 'name' | 'renamedFrom'>>): Map<string, string> {
  const all = [...facilities]
  const renames = new Map<string, string>()
  for (const { name, renamedFrom } of all) if (renamedFrom !== undefined) renames.set(renamedFrom, name)
  for (const { name } of all) renames.delete(name)
  return renames
}

/** What was applied, with what a renamed facility had under its former name as its own. */
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
