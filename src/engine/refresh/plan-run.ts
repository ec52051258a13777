import type { SuspendedFacility } from '../../core/contracts/apply-outcome.ts'
import type { Facility } from '../../core/model/facility.ts'
import { observeClaims } from '../../core/plan/claim-keeping.ts'
import { findRenames } from '../../core/plan/plan-input.ts'
import { compareDiagnostics, makePlan, makeRemovalPlan } from '../../core/plan/planning.ts'
import type { Plan } from '../../core/plan/step.ts'
import type { FileClaims } from '../../core/state/file-claim.ts'
import { locationKey } from '../../core/state/snapshot.ts'
import { findTroubles } from '../../core/state/trouble.ts'
import { compareText } from '../../core/text/text-order.ts'
import { sha256 } from '../../host/sha256.ts'
import type { ManifestSet } from '../../manifest/manifest-set.ts'
import { loadManifests } from '../../manifest/manifest-source.ts'
import type { Session } from '../session/session.ts'
import { readRecord, readSuspended, type StateRecord } from '../session/state-files.ts'
import { type BoundInstance, bindAll } from '../session/supervisor-instances.ts'
import { carrySuspensions } from '../session/suspension.ts'
import { findController } from '../session/writer-lock.ts'
import { createPolicyCheck } from './policy-check.ts'
import { findUnwritable, type Refresh, refreshHost } from './refresh.ts'
import { warnOfStarts } from './start-warning.ts'

/** One look at everything: what is declared, what is on the host, and what leads from one to the other. */
export interface PlanRun {
  readonly set: ManifestSet
  /** As it is on disk. */
  readonly record: StateRecord
  /** Those of the record, by what was found. */
  readonly claims: FileClaims
  readonly instances: ReadonlyMap<string, BoundInstance>
  /** Facilities that a person suspended. */
  readonly suspended: ReadonlySet<string>
  readonly refresh: Refresh
  /** When the look began, in ms since 1970. */
  readonly lookedAt: number
  /** The same by a clock that is never stepped, in ms. */
  readonly elapsedAt: number
  readonly plan: Plan
}

/** Reads and looks, and writes nothing: there is no handle here that could (E2). */
export async function makePlanRun(
  session: Session,
  set: ManifestSet = loadManifests(session.manifests),
): Promise<PlanRun> {
  const { clock, configuration, readHost } = session
  const record = readRecord(configuration.stateDirectory, readHost)
  const instances = bindAll(session, set, record)
  const marks = readSuspended(configuration.stateDirectory, readHost)
  const suspended = carrySuspensions(marks, findRenames(set.facilities))
  const facilities = markSuspended(set.facilities, suspended)
  const lookedAt = clock.now()
  const elapsedAt = clock.elapsed()
  const refresh = await refreshHost({
    instances,
    facilities,
    owner: configuration.owner,
    host: readHost,
    clock,
    full: true,
    checkPolicy: createPolicyCheck(session),
    controller: findController(session),
  })
  const claims = observeClaims(record.claims, refresh.snapshot, refresh.targets, configuration.owner)
  const plan = makePlan(
    {
      claims,
      targets: refresh.targets,
      snapshot: refresh.snapshot,
      owner: configuration.owner,
      applied: record.applied,
      startsWaiting: true,
      prune: set.complete,
      suspended,
      diagnostics: set.diagnostics,
      policy: configuration.policy,
    },
    sha256,
  )
  const troubles = findTroubles(refresh.targets, refresh.snapshot, clock.now())
  const warnings = warnOfStarts(plan, refresh)
  const unwritable = findUnwritable(refresh.availability)
  // What changes nothing of the work is no part of the digest.
  const diagnostics = [...plan.diagnostics, ...warnings].sort(compareDiagnostics)
  const whole = {
    ...plan,
    diagnostics,
    ...(troubles.length > 0 && { troubles }),
    ...(unwritable.length > 0 && { unwritable }),
  }
  return { set, record, claims, instances, suspended, refresh, lookedAt, elapsedAt, plan: whole }
}

/** As `makePlanRun`, for the removal of the named facilities, or of all that is owned. */
export async function makeRemovalPlanRun(
  session: Session,
  names: readonly string[],
  set: ManifestSet = loadManifests(session.manifests),
): Promise<PlanRun> {
  const { clock, configuration, readHost } = session
  const record = readRecord(configuration.stateDirectory, readHost)
  const instances = bindAll(session, set, record)
  const { owner } = configuration
  const lookedAt = clock.now()
  const elapsedAt = clock.elapsed()
  const refresh = await refreshHost({ instances, facilities: [], owner, host: readHost, clock, full: true })
  const chosen = names.length > 0 ? names : undefined
  const claims = observeClaims(record.claims, refresh.snapshot, [], owner)
  const suspended = readSuspended(configuration.stateDirectory, readHost)
  return {
    set,
    record,
    claims,
    instances,
    suspended,
    refresh,
    lookedAt,
    elapsedAt,
    plan: makeRemovalPlan(chosen, { snapshot: refresh.snapshot, owner, claims }, sha256),
  }
}

/** Sorted by name. No part of the plan, which holds only what it can act on. */
export function findSuspended({ refresh: { targets, snapshot } }: Pick<PlanRun, 'refresh'>): SuspendedFacility[] {
  return targets
    .flatMap(({ facility }): SuspendedFacility[] => {
      const { state = 'unknown' } = snapshot.services.get(locationKey(facility)) ?? {}
      return facility.suspend ? [{ facility: facility.name, state, declared: facility.state }] : []
    })
    .sort((left, right) => compareText(left.facility, right.facility))
}

export function markSuspended(facilities: readonly Facility[], suspended: ReadonlySet<string>): Facility[] {
  return facilities.map(facility =>
    suspended.has(facility.name) && !facility.suspend ? { ...facility, suspend: true } : facility,
  )
}
