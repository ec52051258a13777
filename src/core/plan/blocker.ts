import { hasDefinition } from '../model/facility.ts'
import type { ResolvedFacility } from '../model/resolved-facility.ts'
import { definitionDiffers, otherDefinitionExists } from '../state/comparison.ts'
import type { Observed } from '../state/observed.ts'
import { placeOf } from '../state/place.ts'
import { locationKey } from '../state/snapshot.ts'
import { findOldLocations, isOurFile, isOurs } from './ownership.ts'
import type { PlanContext } from './plan-input.ts'
import { findReachProblem } from './reach.ts'

/** Blocker of a facility, with what to do about it; undefined if there is none. */
export function findBlocker(
  target: ResolvedFacility,
  observed: Observed | undefined,
  context: PlanContext,
): string | undefined {
  const { facility } = target
  if (target.problems.length > 0) return target.problems.join('; ')
  const reason = context.snapshot.unavailable.get(facility.supervisor)
  if (reason !== undefined) return `supervisor ${facility.supervisor} is unavailable: ${reason}`
  if (!observed) return `supervisor ${facility.supervisor} said nothing of service ${facility.service}`
  if (observed.state === 'unknown') {
    return `the state of service ${facility.service} is unknown: ${observed.message ?? 'the supervisor does not say why'}`
  }
  return (
    context.shared.get(facility.name) ??
    findReachProblem(target, observed, context) ??
    findOldPlaceObstacle(target, context) ??
    findLack(target, observed) ??
    findFixedEnablement(target, observed, context) ??
    findStranger(target, observed, context) ??
    findTakenPlace(target, observed, context) ??
    findFileObstacle(target, observed, context)
  )
}

/**
 * Whether a blocked service may still be stopped and disabled, if so declared. Services without Reeve's marker, in an unknown state, or
 * beyond the policy are left alone.
 */
export function mayEnd(target: ResolvedFacility, observed: Observed, context: PlanContext): boolean {
  return (
    observed.state !== 'unknown' &&
    observed.ownership?.owner === context.owner &&
    !context.snapshot.unavailable.has(target.facility.supervisor) &&
    findReachProblem(target, observed, context) === undefined &&
    findOldPlaceObstacle(target, context) === undefined
  )
}

/** The state of a move's old service has to be known, or it might run beside the new one (E7). */
function findOldPlaceObstacle(target: ResolvedFacility, context: PlanContext): string | undefined {
  const { facility } = target
  const before = context.applied.get(facility.name)
  const reason = before && context.snapshot.unavailable.get(before.supervisor)
  if (before && reason !== undefined) {
    return (
      `it was under supervisor ${before.supervisor}, which is unavailable (${reason}), so it can't be stopped there first: ` +
      'bring that supervisor back, or, if it is gone for good, give the facility another name'
    )
  }
  for (const { location, observed } of findOldLocations(target, context)) {
    if (observed && observed.state !== 'unknown') continue
    const why = observed ? (observed.message ?? 'the supervisor does not say why') : 'the supervisor said nothing of it'
    return `the state of its old service ${locationKey(location)} is unknown: ${why}`
  }
  return undefined
}

function findLack({ facility, definition }: ResolvedFacility, observed: Observed): string | undefined {
  const runsOne = definition ? !definition.isAddition : hasDefinition(facility)
  if (runsOne || observed.state !== 'absent') return undefined
  // An absent service neither runs nor starts at boot.
  if (!definition && facility.state === 'stopped' && facility.enabled === false) return undefined
  return (
    `supervisor ${facility.supervisor} has no service ${facility.service}, and the manifest doesn't say how to run one: ` +
    'install the package that brings it, or declare spec.process'
  )
}

/** The service can be neither enabled nor disabled as declared, and no changed definition may allow it. */
function findFixedEnablement(
  target: ResolvedFacility,
  observed: Observed,
  { snapshot }: PlanContext,
): string | undefined {
  const { facility } = target
  if (
    observed.enabled !== 'fixed' ||
    facility.enabled === 'unmanaged' ||
    definitionDiffers(target, observed, snapshot)
  ) {
    return undefined
  }
  return (
    `service ${facility.service} can be neither enabled nor disabled (${observed.message ?? 'its definition allows neither'}): ` +
    'declare enabled: unmanaged'
  )
}

/** A service of that name that isn't Reeve's (E8). */
function findStranger(target: ResolvedFacility, observed: Observed, context: PlanContext): string | undefined {
  const { facility } = target
  if (!target.definition || facility.adopt || isOurs(target, observed, context)) return undefined
  const isOthers = target.definition.isAddition ? observed.ownership !== undefined : observed.state !== 'absent'
  if (!isOthers && !otherDefinitionExists(target.definition, context.snapshot)) return undefined
  const holder =
    observed.ownership === undefined
      ? 'not managed by Reeve'
      : `managed by another Reeve (owner ${observed.ownership.owner})`
  return (
    `supervisor ${facility.supervisor} has a service ${facility.service} that is ${holder}: ` +
    'declare adopt: true to take it over, or another serviceName'
  )
}

/** A file of the definition would hide one that isn't Reeve's, though the service is Reeve's, or is new (E8). */
function findTakenPlace(
  { facility, definition }: ResolvedFacility,
  observed: Observed,
  context: PlanContext,
): string | undefined {
  if (facility.adopt) return undefined
  const declared = new Set(definition?.files.map(({ path }) => path))
  const other = observed.others?.find(({ path, owner }) => declared.has(path) && owner !== context.owner)
  if (!other) return undefined
  const holder = other.owner === undefined ? 'not managed by Reeve' : `managed by another Reeve (owner ${other.owner})`
  return (
    `${other.path} would take the place of ${other.name}, which is ${holder}: ` +
    'declare adopt: true to take it over, or another serviceName'
  )
}

function findFileObstacle(target: ResolvedFacility, observed: Observed, context: PlanContext): string | undefined {
  for (const { path } of target.definition?.files ?? []) {
    const problem = context.snapshot.files.get(path)?.problem
    if (problem !== undefined) return `its definition can't be written: ${problem}`
  }
  for (const { path } of target.files) {
    const found = context.snapshot.files.get(path)
    if (found?.problem !== undefined) return `file ${path} can't be managed: ${found.problem}`
    if (!found || found.kind === 'absent' || target.facility.adopt) continue
    if (isOurFile(path, target, observed, context)) continue
    const isClaimed = context.ownedFiles.has(placeOf(path, context.snapshot))
    const whose = isClaimed
      ? 'was not written by Reeve, which did not succeed in writing it'
      : 'is not managed by Reeve'
    return `file ${path} exists and ${whose}: declare adopt: true to take it over, or another path`
  }
  return undefined
}
