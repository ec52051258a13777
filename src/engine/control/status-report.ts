import type { ActivationStatus, FacilityStatus, LastExit, OtherPlace } from '../../core/contracts/status.ts'
import { addTo } from '../../core/list-map.ts'
import type { Facility } from '../../core/model/facility.ts'
import { findRenames } from '../../core/plan/plan-input.ts'
import { describePending, type FacilityPlan } from '../../core/plan/step.ts'
import { type Condition, type ConditionInput, conditionsOf } from '../../core/reconcile/conditions.ts'
import type { Activation, Exit, Observed } from '../../core/state/observed.ts'
import { describeExit, type HealthState } from '../../core/state/readiness.ts'
import { type Location, locationKey, type Snapshot } from '../../core/state/snapshot.ts'

export interface StatusFacts extends ConditionInput {
  readonly name: string
  readonly supervisor: string
  readonly service: string
  readonly observed: Observed | undefined
  readonly elsewhere?: readonly OtherPlace[]
  readonly health: HealthState
}

export function makeFacilityStatus(facts: StatusFacts, before: readonly Condition[], now: number): FacilityStatus {
  const { name, supervisor, service, observed, elsewhere = [], health } = facts
  const running = observed?.state === 'running'
  return {
    name,
    supervisor,
    service,
    state: observed?.state ?? 'unknown',
    enabled: typeof observed?.enabled === 'boolean' ? observed.enabled : null,
    pid: observed?.pid ?? null,
    since: isoTime(observed?.since),
    health: running || health === 'none' ? health : 'unknown',
    ...describeRestarts(observed),
    ...(observed?.activation && { activation: describeActivation(observed.activation) }),
    ...(observed?.output === undefined ? {} : { output: observed.output }),
    ...(observed?.overrides === undefined ? {} : { overrides: observed.overrides }),
    conditions: conditionsOf(facts, before, new Date(now).toISOString()),
    ...(facts.pending === undefined ? {} : { pending: facts.pending }),
    ...(elsewhere.length === 0 ? {} : { elsewhere }),
  }
}

function describeRestarts(observed: Observed | undefined): Pick<FacilityStatus, 'restarts' | 'lastExit'> {
  const { exit, restarts, totalRestarts = restarts } = observed ?? {}
  return {
    ...(totalRestarts !== undefined && { restarts: totalRestarts }),
    ...(exit && { lastExit: describeLastExit(exit) }),
  }
}

function describeActivation({ starts, nextRun, lastRun, failure, connections }: Activation): ActivationStatus {
  return {
    starts,
    nextRun: isoTime(nextRun),
    lastRun: lastRun ? { ...lastRun, began: isoTime(lastRun.began), ended: isoTime(lastRun.ended) } : null,
    ...(failure && { failure: { message: failure.message, at: isoTime(failure.at) } }),
    ...(connections && { connections }),
  }
}

function isoTime(time: number | undefined): string | null {
  return time === undefined ? null : new Date(time).toISOString()
}

function describeLastExit(exit: Exit): LastExit {
  const { meaning: _, ...found } = exit
  return { ...found, message: describeExit(exit) }
}

/** Steps of the plan that nobody carries out, for the facts. */
export function findPending(plan: FacilityPlan | undefined): Pick<StatusFacts, 'pending'> {
  const pending = describePending(plan)
  return pending === undefined ? {} : { pending }
}

/** Finds where a declared facility is owned besides its declared location. */
export function createElsewhere(
  snapshot: Snapshot,
  owner: string,
): (facility: Location & { readonly name: string; readonly renamedFrom?: string }) => OtherPlace[] {
  const owned = new Map<string, Location[]>()
  for (const location of snapshot.owned) {
    if (location.ownership.owner !== owner) continue
    const { facility } = location.ownership
    addTo(owned, facility, location)
  }
  return facility =>
    [facility.name, facility.renamedFrom ?? facility.name]
      .filter((name, index, names) => names.indexOf(name) === index)
      .flatMap(name => owned.get(name) ?? [])
      .filter(location => locationKey(location) !== locationKey(facility))
      .map(location => {
        const { state = 'unknown', pid = null } = snapshot.services.get(locationKey(location)) ?? {}
        return { supervisor: location.supervisor, service: location.service, state, pid }
      })
}

/**
 * Facilities that are owned though no manifest declares them: kept by `prune: false`, by a suspension, or while manifests are
 * missing or invalid.
 */
export function findUndeclared(
  snapshot: Snapshot,
  owner: string,
  facilities: readonly Pick<Facility, 'name' | 'renamedFrom'>[],
  suspended: ReadonlySet<string>,
): StatusFacts[] {
  const declared = new Set([...facilities.map(({ name }) => name), ...findRenames(facilities).keys()])
  const found: StatusFacts[] = []
  for (const { supervisor, service, ownership } of snapshot.owned) {
    if (ownership.owner !== owner || declared.has(ownership.facility)) continue
    const observed = snapshot.services.get(`${supervisor}/${service}`)
    found.push({
      name: ownership.facility,
      supervisor,
      service,
      observed,
      health: 'none',
      readiness: { ready: false, reason: 'Undeclared', message: 'no manifest declares it' },
      suspended: suspended.has(ownership.facility),
      failures: 0,
    })
  }
  return found
}
