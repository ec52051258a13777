import { addTo } from '../list-map.ts'
import type { Facility } from '../model/facility.ts'
import { isWantedAbsent } from '../state/readiness.ts'
import type { Relation, RelationKind, ServiceTies } from '../state/relation.ts'
import { locationKey } from '../state/snapshot.ts'
import { compareText } from '../text/text-order.ts'
import { withHalt, withOldStepsOnly } from './blocking.ts'
import type { PlanContext } from './plan-input.ts'
import { keptRunning, leaveRunning, openRivals } from './rival.ts'
import type { FacilityPlan } from './step.ts'
import { findStart } from './step-builder.ts'

/**
 * Blocks facilities that would undo one another (E21): running services go on. Not even a declared stop is carried out, as
 * both may be the same service.
 */
export function blockContradictions(
  plans: readonly FacilityPlan[],
  { targets, busy = [], snapshot: { ties } }: PlanContext,
): readonly FacilityPlan[] {
  if (!ties) return plans
  const facilities = new Map([...targets.map(({ facility }) => facility), ...busy].map(one => [one.name, one]))
  const found = findContradictions([...facilities.values()], ties)
  const rivals = openRivals(keptRunning([...facilities.values()]), ties)
  return plans.map(plan => {
    const why = found.get(plan.name)
    const facility = facilities.get(plan.name)
    if (!facility || facility.suspend) return plan
    if (why !== undefined) return withHalt(plan, plan.blocked ?? why)
    if (plan.blocked !== undefined) return plan
    if (ties.get(locationKey(facility))?.leaving !== undefined) return awaitOwnName(plan, facility)
    return facility.state === 'unmanaged' && findStart(plan.steps) ? leaveRunning(plan, rivals) : plan
  })
}

/** Whether the observed service belongs to another facility, which is about to release the name. */
function awaitOwnName(plan: FacilityPlan, facility: Facility): FacilityPlan {
  if (isWantedAbsent(facility)) return withOldStepsOnly(plan)
  const why = `service ${plan.service} is another name of a service that is about to give it up; it can be had when that is done: apply again`
  return withHalt(plan, why)
}

/**
 * Finds facilities whose steps would undo one another's (E21), by the relations of their services. The only place where that is
 * decided:
 *
 *   one service under two names                    → never
 *   conflicts    running, running                  → no
 *   conflicts    running, unmanaged                → yes, but no restart of the unmanaged one
 *   starts       running, stopped                  → no
 *   stops-with   running, stopped                  → no
 *   enables      enabled otherwise than the other  → no
 *   all else                                       → yes
 *
 * Suspended facilities undo nothing, but another facility with the same service would act on it.
 */
export function findContradictions(
  facilities: readonly Facility[],
  ties: ReadonlyMap<string, ServiceTies>,
): ReadonlyMap<string, string> {
  const sorted = [...facilities].sort((a, b) => compareText(a.name, b.name))
  const holders = findHolders(sorted, ties)
  /** Contradictions by facility and by the other facility. */
  const found = new Map<string, Map<string, string>>()
  const note = (facility: Facility, other: Facility, message: string): void => {
    const messages = found.get(facility.name) ?? new Map<string, string>()
    if (!messages.has(other.name)) messages.set(other.name, message)
    found.set(facility.name, messages)
  }
  for (const group of holders.values()) {
    for (const facility of group) {
      for (const other of group) if (other !== facility) note(facility, other, describeSame(facility, other, ties))
    }
  }
  for (const facility of sorted) {
    for (const relation of sortRelations(ties.get(locationKey(facility))?.relations ?? [])) {
      for (const other of holders.get(relation.to) ?? []) {
        if (other === facility || facility.suspend || other.suspend) continue
        if (!contradicts(relation.kind, facility, other)) continue
        const { here, there } = describe(relation, facility, other)
        note(facility, other, here)
        note(other, facility, there)
      }
    }
  }
  return new Map([...found].map(([name, messages]) => [name, [...messages.values()].join('; ')]))
}

/** Facilities by the service that they declare. */
function findHolders(
  facilities: readonly Facility[],
  ties: ReadonlyMap<string, ServiceTies>,
): ReadonlyMap<string, readonly Facility[]> {
  const holders = new Map<string, Facility[]>()
  for (const facility of facilities) {
    for (const identity of new Set(ties.get(locationKey(facility))?.identities)) {
      addTo(holders, identity, facility)
    }
  }
  return holders
}

const order: readonly RelationKind[] = ['conflicts', 'starts', 'stops-with', 'enables']

function sortRelations(relations: readonly Relation[]): Relation[] {
  return [...relations].sort((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind) || compareText(a.how, b.how))
}

function contradicts(kind: RelationKind, facility: Facility, other: Facility): boolean {
  switch (kind) {
    case 'conflicts':
      return facility.state === 'running' && other.state === 'running'
    case 'starts':
    case 'stops-with':
      return facility.state === 'running' && other.state === 'stopped'
    case 'enables':
      return facility.enabled !== 'unmanaged' && other.enabled !== 'unmanaged' && facility.enabled !== other.enabled
  }
}

function describeSame(facility: Facility, other: Facility, ties: ReadonlyMap<string, ServiceTies>): string {
  const aliases = [facility, other].flatMap(one => ties.get(locationKey(one))?.alias ?? [])
  const how = aliases.length === 0 ? '' : ` (${[...new Set(aliases)].join('; ')})`
  return `it is the same service as that of facility ${other.name}${how}: declare one facility for it`
}

/** Messages for the facility that has the relation, and for the other one. */
function describe(
  { kind, how }: Relation,
  { name, enabled }: Facility,
  other: Facility,
): { readonly here: string; readonly there: string } {
  switch (kind) {
    case 'conflicts': {
      const end = `${how}, so that to start one of them stops the other. Declare one of them stopped, or take that out`
      return {
        here: `it can't run beside facility ${other.name}, which is declared running too: ${end}`,
        there: `it can't run beside facility ${name}, which is declared running too: ${end}`,
      }
    }
    case 'starts': {
      const end = `${how}. Declare ${other.name} running, or state: unmanaged, or take that out`
      return {
        here: `it starts facility ${other.name}, which is declared stopped: ${end}`,
        there: `it is declared stopped, and facility ${name}, which is declared running, starts it: ${end}`,
      }
    }
    case 'stops-with': {
      const end = `${how}. Declare both running or both stopped, or take that out`
      return {
        here: `it goes down with facility ${other.name}, which is declared stopped: ${end}`,
        there: `it is declared stopped, and facility ${name}, which is declared running, goes down with it: ${end}`,
      }
    }
    case 'enables': {
      const does = enabled === true ? 'enables' : 'disables'
      const end = `${how}. Declare both alike, or enabled: unmanaged for one of them, or take that out`
      return {
        here: `to have it as declared also ${does} facility ${other.name}, which is declared otherwise: ${end}`,
        there: `facility ${name} also ${does} it, which is declared otherwise: ${end}`,
      }
    }
  }
}
