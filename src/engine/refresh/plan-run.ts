import type { SuspendedFacility } from '../../core/contracts/apply-outcome.ts'
import type { Facility } from '../../core/model/facility.ts'
import { observeClaims } from '../../core/plan/claim-keeping.ts'
import { findRenames, type PlanInput } from '../../core/plan/plan-input.ts'
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
import { findUnwritable, type Refresh, type RefreshOptions, refreshHost } from './refresh.ts'
import { warnOfStarts } from './start-warning.ts'

/** A full snapshot and the plan made from it. */
export interface PlanRun extends PlanBasis, MadePlan {
  readonly instances: ReadonlyMap<string, BoundInstance>
  readonly refresh: Refresh
  /** When the refresh began, in ms since 1970. */
  readonly lookedAt: number
  /** The same by a clock that is never stepped, in ms. */
  readonly elapsedAt: number
}

/** What is declared, and what is remembered. */
export interface PlanBasis {
  readonly set: ManifestSet
  readonly record: StateRecord
  /** Facilities that a person suspended. */
  readonly suspended: ReadonlySet<string>
}

/** What there is to plan. The plan of what is removed has no diagnostics, and nothing else is planned. */
export type Purpose =
  | { readonly removal: readonly string[] } // of these facilities, or of all that is owned
  | ({ readonly isShown: boolean } & Pick<PlanInput, 'untouched' | 'unhealthy' | 'startsWaiting'>)

/** What a person is shown: what waits in a supervisor's backoff is started, and the plan has all that can be said of it. */
export const SHOWN: Purpose = { isShown: true, startsWaiting: true }

export interface MadePlan {
  readonly plan: Plan
  /** Those of the record, by what was found. */
  readonly claims: FileClaims
}

export interface PlanRunOptions {
  /** Absent: it is read. */
  readonly set?: ManifestSet | undefined
  /** Plans the removal of the named facilities, or of all that is owned. Absent: plans what is declared. */
  readonly removal?: readonly string[]
}

/** Reads and looks, and writes nothing: there is no handle here that could (E2). */
export async function makePlanRun(session: Session, options: PlanRunOptions = {}): Promise<PlanRun> {
  const { clock, configuration, readHost } = session
  const { set = loadManifests(session.manifests), removal } = options
  const record = readRecord(configuration.stateDirectory, readHost)
  const instances = bindAll(session, set, record)
  const marks = readSuspended(configuration.stateDirectory, readHost)
  const suspended = removal ? marks : carrySuspensions(marks, findRenames(set.facilities))
  const facilities = removal ? [] : markSuspended(set.facilities, suspended)
  const lookedAt = clock.now()
  const elapsedAt = clock.elapsed()
  const refresh = await refreshFor(session, { instances, facilities })
  const basis = { set, record, suspended }
  const made = planFor(session, basis, refresh, removal ? { removal } : SHOWN)
  return { ...basis, ...made, instances, refresh, lookedAt, elapsedAt }
}

/** A snapshot of the session's host, by its policy. */
export function refreshFor(
  session: Session,
  options: Omit<RefreshOptions, 'owner' | 'host' | 'clock' | 'checkPolicy' | 'controller'>,
): Promise<Refresh> {
  const { clock, configuration, readHost: host } = session
  const [checkPolicy, controller] = [createPolicyCheck(session), findController(session)]
  return refreshHost({ ...options, owner: configuration.owner, host, clock, checkPolicy, controller })
}

/** The plan that leads from the snapshot to what is declared, or to its removal. */
export function planFor(
  { clock, configuration: { owner, policy } }: Session,
  { set, record, suspended }: PlanBasis,
  refresh: Refresh,
  purpose: Purpose,
): MadePlan {
  const { snapshot, targets } = refresh
  const claims = observeClaims(record.claims, snapshot, targets, owner)
  const common = { snapshot, owner, claims }
  if ('removal' in purpose) {
    const chosen = purpose.removal.length > 0 ? purpose.removal : undefined
    return { plan: makeRemovalPlan(chosen, common, sha256), claims }
  }
  const { isShown, ...ways } = purpose
  const { applied } = record
  const { diagnostics } = set
  // Also where nothing is removed now: what comes up waits for what goes (E24).
  const prune = set.complete
  const plan = makePlan({ ...common, ...ways, targets, applied, prune, suspended, diagnostics, policy }, sha256)
  return { plan: isShown ? withAdvice(plan, refresh, clock.now()) : plan, claims }
}

/** What changes nothing of the work is no part of the digest. `now` in ms since 1970. */
function withAdvice(plan: Plan, refresh: Refresh, now: number): Plan {
  const troubles = findTroubles(refresh.targets, refresh.snapshot, now)
  const unwritable = findUnwritable(refresh.availability)
  return {
    ...plan,
    diagnostics: [...plan.diagnostics, ...warnOfStarts(plan, refresh)].sort(compareDiagnostics),
    ...(troubles.length > 0 && { troubles }),
    ...(unwritable.length > 0 && { unwritable }),
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
