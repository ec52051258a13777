import type { Facility } from '../../core/model/facility.ts'
import type { ResolvedFacility } from '../../core/model/resolved-facility.ts'
import { appliedOf } from '../../core/plan/applied-parts.ts'
import { announceClaims, keepClaims, observeClaims } from '../../core/plan/claim-keeping.ts'
import { type Applied, applyNewNames, findRenames } from '../../core/plan/plan-input.ts'
import type { FacilityPlan, Plan } from '../../core/plan/step.ts'
import { fulfilClaim } from '../../core/state/file-claim.ts'
import { sha256 } from '../../host/sha256.ts'
import type { Refresh } from '../refresh/refresh.ts'
import type { InstanceRecord, StateRecord } from '../session/state-files.ts'
import { type BoundInstance, formerName, isSame, recordOf } from '../session/supervisor-instances.ts'

export interface RecordInput {
  readonly record: StateRecord
  readonly instances: ReadonlyMap<string, BoundInstance>
  readonly refresh: Refresh
  readonly plan: Plan
  readonly owner: string
  /** Declared facilities that are busy, and that the refresh left out. */
  readonly busy?: readonly Facility[]
}

/**
 * Record after a full refresh: facilities without steps count as applied, removed ones are forgotten, and supervisor instances
 * are kept while something is owned there.
 */
export function nextRecord(input: RecordInput): StateRecord {
  const { record, refresh, owner } = input
  const ours = refresh.snapshot.owned.filter(({ ownership }) => ownership.owner === owner)
  const declared = [...refresh.targets.map(({ facility }) => facility), ...(input.busy ?? [])]
  const known = new Set([...declared.map(({ name }) => name), ...ours.map(({ ownership }) => ownership.facility)])
  const before = applyNewNames(record.applied, findRenames(declared))
  const kept = [...before].filter(
    ([name, { supervisor }]) => known.has(name) || refresh.snapshot.unavailable.has(supervisor),
  )
  const holding = new Set(ours.map(({ supervisor }) => supervisor))
  const working = [...(input.busy ?? []), ...input.plan.facilities.filter(({ steps }) => steps.length > 0)]
  const mayHold = new Set([...working.map(({ supervisor }) => supervisor), ...refresh.snapshot.unavailable.keys()])
  const recorded = [...record.instances]
  const instances = new Map<string, InstanceRecord>()
  for (const [name, bound] of input.instances) {
    const isKept = mayHold.has(name) && recorded.some(([former, one]) => isSame(bound, former, one))
    if (holding.has(name) || isKept) instances.set(name, recordOf(bound.instance))
  }
  const applied = addApplied(new Map(kept), refresh, input.plan)
  // Markers don't name files yet that are about to be written, and may no longer name those that were.
  const files = [...[...applied.values()].flatMap(entry => entry.files), ...pathsOf(declared)]
  const also = new Set(files)
  const seen = observeClaims(record.claims, refresh.snapshot, refresh.targets, owner)
  return { applied, instances, claims: keepClaims(seen, { snapshot: refresh.snapshot, owner, also }) }
}

function pathsOf(facilities: readonly Facility[]): string[] {
  return facilities.flatMap(facility => facility.files.map(({ path }) => path))
}

/** Record before the first step of these plans. */
export function announcePlans(
  record: StateRecord,
  plans: readonly FacilityPlan[],
  { instances, ...known }: Announced & { readonly instances: ReadonlyMap<string, BoundInstance> },
): StateRecord {
  return announceWrites(announceInstances(record, plans, instances), plans, known)
}

interface Announced {
  readonly refresh: Refresh
  readonly owner: string
}

/** Adds claims on the files that the plans are about to write (E19). */
export function announceWrites(
  record: StateRecord,
  plans: readonly FacilityPlan[],
  { refresh, owner }: Announced,
): StateRecord {
  const renames = findRenames(refresh.targets.map(({ facility }) => facility))
  const known = { snapshot: refresh.snapshot, owner, applied: applyNewNames(record.applied, renames) }
  return { ...record, claims: announceClaims(record.claims, plans, refresh.targets, known) }
}

/** Record after a file was written. */
export function noteWritten(record: StateRecord, path: string, digest: string): StateRecord {
  return { ...record, claims: new Map(record.claims).set(path, fulfilClaim(record.claims.get(path), digest)) }
}

/**
 * Adds the supervisor instances that something is about to be installed under: they have to be found after a crash even if their
 * manifests are gone by then (E4).
 */
export function announceInstances(
  record: StateRecord,
  plans: readonly FacilityPlan[],
  instances: ReadonlyMap<string, BoundInstance>,
): StateRecord {
  const announced = new Map(record.instances)
  for (const { supervisor } of plans.filter(({ steps }) => steps.length > 0)) {
    const bound = instances.get(supervisor)
    const before = announced.get(supervisor)
    if (!bound || (before && isSame(bound, supervisor, before))) continue
    if (before) announced.set(formerName(supervisor, before), before)
    announced.set(supervisor, recordOf(bound.instance))
  }
  return { ...record, instances: announced }
}

/** Record after all steps of a facility were done: differences from now on are drift. */
export function noteDone(record: StateRecord, target: ResolvedFacility): StateRecord {
  return { ...record, applied: new Map(record.applied).set(target.facility.name, appliedOf(target, sha256)) }
}

function addApplied(applied: Map<string, Applied>, refresh: Refresh, plan: Plan): Map<string, Applied> {
  const plans = new Map(plan.facilities.map(facility => [facility.name, facility]))
  for (const target of refresh.targets) {
    const { facility } = target
    const found = plans.get(facility.name)
    if (!found || found.steps.length > 0 || found.blocked !== undefined || facility.suspend) continue
    applied.set(facility.name, appliedOf(target, sha256))
  }
  return applied
}
