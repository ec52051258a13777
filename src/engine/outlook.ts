import { observeClaims } from '../core/claim-keeping.ts'
import type { Facility } from '../core/facility.ts'
import type { FileClaims } from '../core/file-claim.ts'
import type { ServiceState } from '../core/observed.ts'
import { compareText, findRenames } from '../core/plan-input.ts'
import { compareDiagnostics, makePlan, makeRemovalPlan } from '../core/planning.ts'
import type { Plan } from '../core/step.ts'
import { findTroubles } from '../core/trouble.ts'
import { locationKey } from '../core/world.ts'
import type { ManifestSet } from '../manifest/manifest-set.ts'
import { loadManifests } from '../manifest/manifest-source.ts'
import { type BoundInstance, bindAll } from './instances.ts'
import { createPolicyCheck } from './policy-check.ts'
import type { Session } from './session.ts'
import { warnOfStarts } from './start-warning.ts'
import { readRecord, readSuspended, type StateRecord } from './state-files.ts'
import { findUnwritable, type Survey, surveyHost } from './survey.ts'
import { carrySuspensions } from './suspension.ts'
import { sha256 } from './targets.ts'
import { findController } from './writer-lock.ts'

/** One look at everything: what is declared, what is on the host, and what leads from one to the other. */
export interface Outlook {
  readonly set: ManifestSet
  /** As it is on disk. */
  readonly record: StateRecord
  /** Those of the record, by what was found. */
  readonly claims: FileClaims
  readonly instances: ReadonlyMap<string, BoundInstance>
  /** Facilities that a person suspended. */
  readonly suspended: ReadonlySet<string>
  readonly survey: Survey
  /** When the look began, in ms since 1970. */
  readonly lookedAt: number
  readonly plan: Plan
}

/** Reads and looks, and writes nothing: there is no handle here that could (E2). */
export async function makeOutlook(
  session: Session,
  set: ManifestSet = loadManifests(session.manifests),
): Promise<Outlook> {
  const { clock, configuration, readHost } = session
  const record = readRecord(configuration.stateDirectory, readHost)
  const instances = bindAll(session, set, record)
  const marks = readSuspended(configuration.stateDirectory, readHost)
  const suspended = carrySuspensions(marks, findRenames(set.facilities))
  const facilities = markSuspended(set.facilities, suspended)
  const lookedAt = clock.now()
  const survey = await surveyHost({
    instances,
    facilities,
    owner: configuration.owner,
    host: readHost,
    clock,
    full: true,
    checkPolicy: createPolicyCheck(session),
    controller: findController(session),
  })
  const claims = observeClaims(record.claims, survey.world, survey.targets, configuration.owner)
  const plan = makePlan(
    {
      claims,
      targets: survey.targets,
      world: survey.world,
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
  const troubles = findTroubles(survey.targets, survey.world, clock.now())
  const warnings = warnOfStarts(plan, survey)
  const unwritable = findUnwritable(survey.availability)
  // What changes nothing of the work is no part of the digest.
  const diagnostics = [...plan.diagnostics, ...warnings].sort(compareDiagnostics)
  const whole = {
    ...plan,
    diagnostics,
    ...(troubles.length > 0 && { troubles }),
    ...(unwritable.length > 0 && { unwritable }),
  }
  return { set, record, claims, instances, suspended, survey, lookedAt, plan: whole }
}

/** As `makeOutlook`, for the removal of the named facilities, or of all that is owned. */
export async function makeRemovalOutlook(
  session: Session,
  names: readonly string[],
  set: ManifestSet = loadManifests(session.manifests),
): Promise<Outlook> {
  const { clock, configuration, readHost } = session
  const record = readRecord(configuration.stateDirectory, readHost)
  const instances = bindAll(session, set, record)
  const { owner } = configuration
  const lookedAt = clock.now()
  const survey = await surveyHost({ instances, facilities: [], owner, host: readHost, clock, full: true })
  const chosen = names.length > 0 ? names : undefined
  const claims = observeClaims(record.claims, survey.world, [], owner)
  const suspended = readSuspended(configuration.stateDirectory, readHost)
  return {
    set,
    record,
    claims,
    instances,
    suspended,
    survey,
    lookedAt,
    plan: makeRemovalPlan(chosen, { world: survey.world, owner, claims }, sha256),
  }
}

/** A declared facility that is left alone, with the state that it is in. */
export interface SuspendedFacility {
  readonly facility: string
  readonly state: ServiceState
  readonly declared: Facility['state']
}

/** Sorted by name. No part of the plan, which holds only what it can act on. */
export function findSuspended({ survey: { targets, world } }: Pick<Outlook, 'survey'>): SuspendedFacility[] {
  return targets
    .flatMap(({ facility }): SuspendedFacility[] => {
      const { state = 'unknown' } = world.services.get(locationKey(facility)) ?? {}
      return facility.suspend ? [{ facility: facility.name, state, declared: facility.state }] : []
    })
    .sort((left, right) => compareText(left.facility, right.facility))
}

export function markSuspended(facilities: readonly Facility[], suspended: ReadonlySet<string>): Facility[] {
  return facilities.map(facility =>
    suspended.has(facility.name) && !facility.suspend ? { ...facility, suspend: true } : facility,
  )
}
