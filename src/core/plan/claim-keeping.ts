import type { ResolvedFacility, ResolvedFile } from '../model/resolved-facility.ts'
import { findAdopted } from '../state/adopted-file.ts'
import { announceContent, type FileClaim, type FileClaims, fulfilClaim, isKnown } from '../state/file-claim.ts'
import type { ObservedFile } from '../state/observed.ts'
import { lookUpByPlace, placeOf } from '../state/place.ts'
import { locationKey, type OwnedLocation, type Snapshot } from '../state/snapshot.ts'
import type { Applied } from './plan-input.ts'
import type { FacilityPlan } from './step.ts'

/** Claims from pass to pass (E19): updated by each snapshot, announced before a plan is carried out, and forgotten. */

/** Claims after a snapshot. */
export function observeClaims(
  claims: FileClaims,
  snapshot: Snapshot,
  targets: readonly ResolvedFacility[],
  owner: string,
): Map<string, FileClaim> {
  const result = withSpellings(claims, snapshot, targets, owner)
  const note = (path: string, digest: string): unknown => result.set(path, fulfilClaim(result.get(path), digest))
  const adopting = adoptingPaths(targets)
  const declaredAt = lookUpByPlace(digestsOf(targets), snapshot)
  for (const location of ourLocations(snapshot, owner)) {
    const loaded = snapshot.services.get(locationKey(location))?.loaded?.files
    const loadedAt = lookUpByPlace(new Map(Object.entries(loaded ?? {})), snapshot)
    for (const path of location.ownership.files) {
      const found = snapshot.files.get(path)
      const digest = found?.kind === 'file' ? found.digest : undefined
      if (found === undefined || digest === undefined) continue
      const claim = result.get(path)
      if (digest === declaredAt(path)) {
        note(path, digest)
        // The lost record knew whether it was there before Reeve.
        if (!claim && adopting.has(path)) result.set(path, { ...fulfilClaim(claim, digest), found: 'lost' })
      } else if (!claim && loadedAt(path) === digest) note(path, digest)
      else if (claim && !claim.isFulfilled && isKnown(claim, found)) result.set(path, { ...claim, isFulfilled: true })
    }
  }
  for (const { path, onRemove } of targets.flatMap(({ files }) => files)) {
    const claim = result.get(path)
    if (claim) result.set(path, withOnRemove(claim, onRemove))
  }
  return result
}

function withOnRemove({ deletes: _, ...claim }: FileClaim, onRemove: 'delete' | undefined): FileClaim {
  return onRemove === 'delete' ? { ...claim, deletes: true } : claim
}

function adoptingPaths(targets: readonly ResolvedFacility[]): Set<string> {
  return new Set(
    targets.flatMap(({ facility, files }) =>
      (facility.adopt ? files.filter(file => file.onRemove !== 'delete') : []).map(({ path }) => path),
    ),
  )
}

/** Claims of a file count for every path that leads to it. */
function withSpellings(
  claims: FileClaims,
  snapshot: Snapshot,
  targets: readonly ResolvedFacility[],
  owner: string,
): Map<string, FileClaim> {
  const result = new Map(claims)
  const claimAt = lookUpByPlace(claims, snapshot)
  const named = ourLocations(snapshot, owner).flatMap(({ ownership }) => ownership.files)
  for (const path of [...digestsOf(targets).keys(), ...named]) {
    const claim = claimAt(path)
    if (claim) result.set(path, claim)
  }
  return result
}

function digestsOf(targets: readonly ResolvedFacility[]): Map<string, string> {
  return new Map(targets.flatMap(({ files }) => files.map(file => [file.path, file.digest])))
}

/**
 * Claims before these plans are carried out. They have to be on disk by then: markers name files before they are written, and
 * after a crash only the claims tell that they weren't.
 */
export function announceClaims(
  claims: FileClaims,
  plans: readonly FacilityPlan[],
  targets: readonly ResolvedFacility[],
  known: { readonly snapshot: Snapshot; readonly owner: string; readonly applied: ReadonlyMap<string, Applied> },
): Map<string, FileClaim> {
  const result = new Map(claims)
  const digests = digestsOf(targets)
  const byName = new Map(targets.map(target => [target.facility.name, target]))
  const at = (path: string): string => placeOf(path, known.snapshot)
  const ours = new Set(ourLocations(known.snapshot, known.owner).flatMap(({ ownership }) => ownership.files.map(at)))
  for (const { name, steps } of plans) {
    const before = new Set((known.applied.get(name)?.files ?? []).map(at))
    const isOurs = (path: string): boolean => ours.has(at(path)) || before.has(at(path))
    for (const { verb, path = '' } of steps) {
      const digest = digests.get(path)
      if (verb !== 'write-file' || digest === undefined) continue
      result.set(path, announceContent(result.get(path), digest, isOurs(path)))
    }
    const target = steps.length > 0 ? byName.get(name) : undefined
    for (const file of target?.files ?? []) {
      const { path } = file
      const claim = claims.get(path)
      const observed = known.snapshot.files.get(path)
      const isWritten = claim ? claim.isFulfilled || (observed !== undefined && isKnown(claim, observed)) : isOurs(path)
      if (!target || isWritten) continue
      const found = findAdopted(file, target, observed)
      // For a file that is as declared already, only this tells that Reeve did not write it.
      if (found) result.set(path, { ...(result.get(path) ?? fulfilClaim(undefined, file.digest)), found })
    }
  }
  return result
}

/** Claims of files that a marker or the record still names. */
export function keepClaims(
  claims: FileClaims,
  {
    snapshot,
    owner,
    also,
  }: { readonly snapshot: Snapshot; readonly owner: string; readonly also: ReadonlySet<string> },
): FileClaims {
  // Markers may be invisible at the moment.
  if (snapshot.unavailable.size > 0) return claims
  const named = new Set(ourLocations(snapshot, owner).flatMap(({ ownership }) => ownership.files))
  return new Map([...claims].filter(([path]) => named.has(path) || also.has(path)))
}

/** Whether these claims cover all files that the plan writes, with the same found content as in `wanted`. */
export function hasAnnounced(
  claims: FileClaims,
  plan: FacilityPlan,
  target: ResolvedFacility | undefined,
  wanted: FileClaims = claims,
): boolean {
  return plan.steps.every(({ verb, path = '' }) => {
    if (verb !== 'write-file') return true
    const file = target?.files.find(candidate => candidate.path === path)
    const claim = claims.get(path)
    if (!file || !claim?.contents.includes(file.digest)) return false
    return claim.found === wanted.get(path)?.found
  })
}

export function ourLocations(snapshot: Pick<Snapshot, 'owned'>, owner: string): OwnedLocation[] {
  return snapshot.owned.filter(({ ownership }) => ownership.owner === owner)
}

/** Why a file must not be overwritten as planned: it appeared or changed after the plan was made. */
export function findOverwriteProblem(
  { path, onRemove }: Pick<ResolvedFile, 'path' | 'onRemove'>,
  claim: FileClaim | undefined,
  found: ObservedFile,
  adopt: boolean,
): string | undefined {
  if (found.kind === 'absent' || !claim || claim.isFulfilled || isKnown(claim, found)) return undefined
  if (adopt) {
    const copied = typeof claim.found === 'object' ? claim.found.digest : undefined
    if (onRemove === 'delete' || copied === found.digest) return undefined
    return `file ${path} has changed since Reeve looked at it, and is not as the copy that is to be put back later: it is adopted at the next try`
  }
  return `file ${path} was made by somebody else meanwhile: declare adopt: true to take it over, or another path`
}
