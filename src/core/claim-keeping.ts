import { announceContent, type FileClaim, type FileClaims, fulfilClaim, isKnown } from './file-claim.ts'
import type { ObservedFile } from './observed.ts'
import { lookUpByPlace, placeOf } from './place.ts'
import type { Applied } from './plan-input.ts'
import type { FacilityPlan } from './step.ts'
import type { Target } from './target.ts'
import { locationKey, type OwnedLocation, type World } from './world.ts'

/** How claims are kept from pass to pass (E19): seen anew, noted before a plan is carried out, and forgotten. */

/** The claims by what a look at the host has found. */
export function observeClaims(
  claims: FileClaims,
  world: World,
  targets: readonly Target[],
  owner: string,
): Map<string, FileClaim> {
  const result = withSpellings(claims, world, targets, owner)
  const note = (path: string, digest: string): unknown => result.set(path, fulfilClaim(result.get(path), digest))
  const declaredAt = lookUpByPlace(digestsOf(targets), world)
  for (const location of ourLocations(world, owner)) {
    const loaded = world.services.get(locationKey(location))?.loaded?.files
    const loadedAt = lookUpByPlace(new Map(Object.entries(loaded ?? {})), world)
    for (const path of location.ownership.files) {
      const found = world.files.get(path)
      const digest = found?.kind === 'file' ? found.digest : undefined
      if (found === undefined || digest === undefined) continue
      const claim = result.get(path)
      if (digest === declaredAt(path)) note(path, digest)
      else if (!claim && loadedAt(path) === digest) note(path, digest)
      else if (claim && !claim.isFulfilled && isKnown(claim, found)) result.set(path, { ...claim, isFulfilled: true })
    }
  }
  return result
}

/** What is known of a file is known of it under every path that leads to it. */
function withSpellings(
  claims: FileClaims,
  world: World,
  targets: readonly Target[],
  owner: string,
): Map<string, FileClaim> {
  const result = new Map(claims)
  const claimAt = lookUpByPlace(claims, world)
  const named = ourLocations(world, owner).flatMap(({ ownership }) => ownership.files)
  for (const path of [...digestsOf(targets).keys(), ...named]) {
    const claim = claimAt(path)
    if (claim) result.set(path, claim)
  }
  return result
}

function digestsOf(targets: readonly Target[]): Map<string, string> {
  return new Map(targets.flatMap(({ files }) => files.map(file => [file.path, file.digest])))
}

/**
 * The claims before these plans are carried out. They have to be on disk by then: the marker that a plan installs names files, and
 * after a crash this alone tells that they weren't written.
 */
export function announceClaims(
  claims: FileClaims,
  plans: readonly FacilityPlan[],
  targets: readonly Target[],
  known: { readonly world: World; readonly owner: string; readonly applied: ReadonlyMap<string, Applied> },
): Map<string, FileClaim> {
  const result = new Map(claims)
  const digests = digestsOf(targets)
  const at = (path: string): string => placeOf(path, known.world)
  const ours = new Set(ourLocations(known.world, known.owner).flatMap(({ ownership }) => ownership.files.map(at)))
  for (const { name, steps } of plans) {
    const before = (known.applied.get(name)?.files ?? []).map(at)
    for (const { verb, path = '' } of steps) {
      const digest = digests.get(path)
      if (verb !== 'write-file' || digest === undefined) continue
      result.set(path, announceContent(result.get(path), digest, ours.has(at(path)) || before.includes(at(path))))
    }
  }
  return result
}

/** The claims that still mean something: of what a marker of ours names, or a record of what was applied. */
export function keepClaims(
  claims: FileClaims,
  { world, owner, also }: { readonly world: World; readonly owner: string; readonly also: ReadonlySet<string> },
): FileClaims {
  // There may be markers that can't be seen now.
  if (world.unavailable.size > 0) return claims
  const named = new Set(ourLocations(world, owner).flatMap(({ ownership }) => ownership.files))
  return new Map([...claims].filter(([path]) => named.has(path) || also.has(path)))
}

/** True if the claims of all that the plan writes are among these. */
export function hasAnnounced(claims: FileClaims, plan: FacilityPlan, target: Target | undefined): boolean {
  return plan.steps.every(({ verb, path = '' }) => {
    if (verb !== 'write-file') return true
    const file = target?.files.find(candidate => candidate.path === path)
    return file !== undefined && claims.get(path)?.contents.includes(file.digest) === true
  })
}

export function ourLocations(world: Pick<World, 'owned'>, owner: string): OwnedLocation[] {
  return world.owned.filter(({ ownership }) => ownership.owner === owner)
}

/** Why what is found isn't overwritten now though the plan says so: it came after the plan was made. */
export function findOverwriteProblem(
  path: string,
  claim: FileClaim | undefined,
  found: ObservedFile,
  adopt: boolean,
): string | undefined {
  if (adopt || found.kind === 'absent' || !claim || claim.isFulfilled || isKnown(claim, found)) return undefined
  return `file ${path} was made by somebody else meanwhile: declare adopt: true to take it over, or another path`
}
