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
import { isWayBack, readMark } from '../rollout/rollout-state.ts'
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

/** Manifests, record and suspensions that a plan is made from. */
export interface PlanBasis {
  readonly set: ManifestSet
  readonly record: StateRecord
  /** Facilities that a person suspended. */
  readonly suspended: ReadonlySet<string>
}

/** What to plan: what is declared, or only removals. */
export type Purpose =
  | { readonly removal: readonly string[] } // of the named facilities, or of all owned ones
  | ({ readonly isShown: boolean } & Pick<PlanInput, 'busy' | 'unhealthy' | 'startsWaiting'>)

/** Plan for a person: services in their supervisor's backoff are started, and warnings and troubles are included. */
export const SHOWN: Purpose = { isShown: true, startsWaiting: true }

export interface MadePlan {
  readonly plan: Plan
  /** Claims of the record, updated by the snapshot. */
  readonly claims: FileClaims
}

export interface PlanRunOptions {
  /** Absent: the manifests are read. */
  readonly set?: ManifestSet | undefined
  /** For markers, with a set of another revision. Absent: that of the newest accepted one. */
  readonly mark?: string | undefined
  /** Plans the removal of the named facilities, or of all owned ones. Absent: plans what is declared. */
  readonly removal?: readonly string[]
}

/** Reads and observes, and writes nothing: there is no handle here that could (E2). */
export async function makePlanRun(session: Session, options: PlanRunOptions = {}): Promise<PlanRun> {
  const { clock, configuration, readHost } = session
  const { set = loadManifests(session.manifests), mark = readMark(session), removal } = options
  const record = readRecord(configuration.stateDirectory, readHost)
  const instances = bindAll(session, set, record)
  const marks = readSuspended(configuration.stateDirectory, readHost)
  const suspended = removal ? marks : carrySuspensions(marks, findRenames(set.facilities))
  const facilities = removal ? [] : markSuspended(set.facilities, suspended)
  const lookedAt = clock.now()
  const elapsedAt = clock.elapsed()
  const refresh = await refreshFor(session, { instances, facilities, mark })
  const basis = { set, record, suspended }
  const made = planFor(session, basis, refresh, removal ? { removal } : SHOWN)
  return { ...basis, ...made, instances, refresh, lookedAt, elapsedAt }
}

/** Refreshes the session's host under its policy. */
export function refreshFor(
  session: Session,
  options: Omit<RefreshOptions, 'owner' | 'host' | 'clock' | 'checkPolicy' | 'controller'>,
): Promise<Refresh> {
  const { clock, configuration, readHost: host } = session
  const [checkPolicy, controller] = [createPolicyCheck(session), findController(session)]
  const { owner } = configuration
  return refreshHost({ mark: readMark(session), ...options, owner, host, clock, checkPolicy, controller })
}

/** Makes the plan from a snapshot. */
export function planFor(
  session: Session,
  { set, record, suspended }: PlanBasis,
  refresh: Refresh,
  purpose: Purpose,
): MadePlan {
  const { clock, configuration } = session
  const { owner, policy } = configuration
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
  // Also where nothing is pruned now: starts wait for what is to go (E24).
  const prune = set.complete
  const isRolledBack = isWayBack(session, set.revision)
  const declared = { targets, applied, prune, suspended, diagnostics, policy, isRolledBack }
  const plan = makePlan({ ...common, ...ways, ...declared }, sha256)
  return { plan: isShown ? withAdvice(plan, refresh, clock.now()) : plan, claims }
}

/** Adds warnings and troubles, which are no part of the digest. `now` in ms since 1970. */
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

/** Suspended facilities, sorted by name. They are no part of the plan, which holds only what it can act on. */
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
