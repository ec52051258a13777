import type { Facility } from '../model/facility.ts'
import { isWantedAbsent } from '../state/readiness.ts'
import { locationKey, type OwnedLocation } from '../state/snapshot.ts'
import { withHalt, withOldStepsOnly } from './blocking.ts'
import { findOldLocations } from './ownership.ts'
import type { PlanContext } from './plan-input.ts'
import { findOrphans } from './removal-plan.ts'
import type { FacilityPlan } from './step.ts'

/** Owned service that is about to be removed. */
interface Leaving {
  readonly location: OwnedLocation
  /** Facility that moves elsewhere. Absent: no manifest declares its facility any more. */
  readonly mover?: string
}

/** Declared facilities whose service is another name of one that is about to be removed, by name, and what to do about it. */
export interface LeavingNames {
  readonly all: ReadonlyMap<string, string>
  /** Those that another facility's plan leaves without a service: not those that have it themselves, and keep it while blocked. */
  readonly losing: ReadonlyMap<string, string>
}

export function findLeavingNames(context: PlanContext): LeavingNames {
  const { ties } = context.snapshot
  const all = new Map<string, string>()
  const losing = new Map<string, string>()
  const leaving = ties ? findLeaving(context) : new Map<string, Leaving>()
  if (leaving.size === 0) return { all, losing }
  for (const { facility } of context.targets) {
    const { alias, identities = [] } = ties?.get(locationKey(facility)) ?? {}
    const found = alias === undefined ? undefined : identities.flatMap(identity => leaving.get(identity) ?? [])[0]
    if (alias === undefined || !found) continue
    const why = describe(facility, alias, found)
    all.set(facility.name, why)
    if (found.mover !== facility.name) losing.set(facility.name, why)
  }
  return { all, losing }
}

/**
 * Blocks facilities whose service is another name of one that is about to be removed (E21): what they start, stop or enable would be
 * gone with it, and with it what they left for it.
 */
export function blockLeavingNames(
  plans: readonly FacilityPlan[],
  { all }: LeavingNames,
  { targets }: PlanContext,
): readonly FacilityPlan[] {
  if (all.size === 0) return plans
  const facilities = new Map(targets.map(({ facility }) => [facility.name, facility]))
  return plans.map(plan => {
    const why = all.get(plan.name)
    const facility = facilities.get(plan.name)
    if (why === undefined || !facility || facility.suspend) return plan
    if (isWantedAbsent(facility) && plan.blocked === undefined) return withOldStepsOnly(plan)
    return withHalt(plan, plan.blocked ?? why)
  })
}

/** By identity: old locations of facilities that move, and orphaned services. */
function findLeaving(context: PlanContext): Map<string, Leaving> {
  const found: Leaving[] = [...findOrphans(context).values()].flat().map(location => ({ location }))
  for (const target of context.targets) {
    const mover = target.facility.name
    for (const { location } of findOldLocations(target, context)) found.push({ location, mover })
  }
  const leaving = new Map<string, Leaving>()
  for (const one of found) {
    for (const identity of context.snapshot.ties?.get(locationKey(one.location))?.identities ?? []) {
      leaving.set(identity, one)
    }
  }
  return leaving
}

function describe({ name, service }: Facility, alias: string, { location, mover }: Leaving): string {
  const { facility } = location.ownership
  const key = locationKey(location)
  if (mover === name) {
    return (
      `service ${service} is the one that it has now, ${key} (${alias}), which a move would remove: ` +
      `declare serviceName: ${location.service}, or the name of another service`
    )
  }
  const why =
    mover === undefined ? `no manifest declares facility ${facility} any more` : `facility ${mover} moves elsewhere`
  return (
    `service ${service} is ${key} (${alias}), which is about to be removed, as ${why}: ` +
    'declare the name of another service, or spec.process'
  )
}
