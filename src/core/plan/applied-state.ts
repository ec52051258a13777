import { createDictionary } from '../dictionary.ts'
import { type Facility, hasDefinition } from '../model/facility.ts'
import type { ResolvedFacility } from '../model/resolved-facility.ts'
import { type FileClaims, fulfilClaim } from '../state/file-claim.ts'
import type { Observed, ObservedFile } from '../state/observed.ts'
import { locationKey, type OwnedLocation, type Snapshot } from '../state/snapshot.ts'
import { bytesOf } from '../text/bytes.ts'
import { appliedOf } from './applied-parts.ts'
import { makeOwnership } from './meeting-point.ts'
import type { PlanInput } from './plan-input.ts'
import type { Hash } from './planning.ts'

/** What a plan is made from besides the declared state. */
export type AppliedState = Pick<PlanInput, 'snapshot' | 'applied'> & { readonly claims: FileClaims }

export interface AppliedStateOptions {
  /** What is compared with it. */
  readonly next: readonly ResolvedFacility[]
  readonly owner: string
  readonly hash: Hash
}

/**
 * The state of a host on which these facilities have been applied, and nothing else has happened. What can't be had there (`problems`) is
 * not there. What they leave unmanaged, and services that others define, are taken to be otherwise than `next` declares: a plan then
 * shows each step that may be needed.
 */
export function assumeApplied(
  targets: readonly ResolvedFacility[],
  { next, owner, hash }: AppliedStateOptions,
): AppliedState {
  const services = new Map<string, Observed>()
  const owned: OwnedLocation[] = []
  const files = new Map<string, ObservedFile>()
  const applied = new Map<string, ReturnType<typeof appliedOf>>()
  const claims = new Map<string, ReturnType<typeof fulfilClaim>>()
  const wanted = new Map(next.map(({ facility }) => [locationKey(facility), facility]))
  for (const target of next) {
    services.set(locationKey(target.facility), assumeUntouched(target))
    for (const { path } of [...target.files, ...(target.definition?.files ?? [])]) files.set(path, { kind: 'absent' })
  }
  for (const target of targets.filter(({ problems }) => problems.length === 0)) {
    const { facility, definition } = target
    const { supervisor, service, name } = facility
    const observed = assumeDeclared(target, wanted.get(locationKey(facility)), { owner, hash })
    services.set(locationKey(facility), observed)
    if (observed.ownership) owned.push({ supervisor, service, ownership: observed.ownership })
    applied.set(name, appliedOf(target, hash))
    for (const { path, content, mode } of definition?.files ?? []) {
      files.set(path, { kind: 'file', content: bytesOf(content), mode })
    }
    for (const { path, content, digest, mode, uid, gid, ownerNames } of target.files) {
      files.set(path, {
        kind: 'file',
        content,
        digest,
        mode,
        uid,
        gid,
        ...(ownerNames !== undefined && { ownerNames }),
      })
      claims.set(path, fulfilClaim(undefined, digest))
    }
  }
  const snapshot: Snapshot = { services, owned, unavailable: new Map(), files, places: new Map() }
  return { snapshot, applied, claims }
}

/** Of a service that nothing has been applied to. */
function assumeUntouched({ facility, definition }: ResolvedFacility): Observed {
  const { service, state, enabled } = facility
  const isDefinedByUs = definition ? !definition.isAddition : hasDefinition(facility)
  if (isDefinedByUs) return { service, state: 'absent', enabled: false, supervised: true }
  return { service, state: state === 'stopped' ? 'running' : 'stopped', enabled: enabled === false, supervised: true }
}

function assumeDeclared(
  { facility, definition, files }: ResolvedFacility,
  next: Facility | undefined,
  { owner, hash }: Pick<AppliedStateOptions, 'owner' | 'hash'>,
): Observed {
  const { service, process } = facility
  const state = facility.state === 'unmanaged' ? otherState(next) : facility.state
  const enabled = facility.enabled === 'unmanaged' ? next?.enabled !== true : facility.enabled
  const isJob = state === 'running' && process?.restart.policy === 'never' && facility.config === undefined
  const hasProcess = state === 'running' && definition !== undefined
  const common = { service, enabled, supervised: true }
  const read = createDictionary(files.map(({ path, digest }) => [path, digest]))
  return {
    ...common,
    state: isJob ? 'stopped' : state,
    ...(isJob && { completed: true }),
    ...(hasProcess && { loaded: { definition: definition.digest, files: read } }),
    ...(definition && {
      ownership: { ...makeOwnership(facility, owner, hash), ...(definition.isAddition && { isAddition: true }) },
      definitionFiles: definition.files.map(({ path }) => path),
    }),
  }
}

/** Where a restart could be needed, the service runs. */
function otherState(next: Facility | undefined): 'running' | 'stopped' {
  return next?.state === 'running' ? 'stopped' : 'running'
}
