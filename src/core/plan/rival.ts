import { addTo } from '../list-map.ts'
import type { Facility } from '../model/facility.ts'
import type { ServiceTies } from '../state/relation.ts'
import { type Location, locationKey } from '../state/snapshot.ts'
import { withBlocker } from './blocking.ts'
import { portPointOf } from './meeting-point.ts'
import type { PlanContext } from './plan-input.ts'
import type { FacilityPlan } from './step.ts'

/** Facility whose service has to go on running, though a start of another service would stop it, and why it would. */
interface Rival {
  readonly name: string
  readonly how: string
}

/** Rivals of services that nobody declares running: their state is unmanaged, or they are about to be removed. */
export type Rivals = (location: Kept) => Rival | undefined

/** Service that has to go on running, with its facility. */
type Kept = Location & { readonly name: string }

export function openRivals(kept: readonly Kept[], ties: ReadonlyMap<string, ServiceTies>): Rivals {
  /** By identity: who runs as that, and who is in conflict with it. */
  const running = new Map<string, string>()
  const against = new Map<string, Rival[]>()
  for (const { name, supervisor, service } of kept) {
    const { identities = [], relations = [] } = ties.get(locationKey({ supervisor, service })) ?? {}
    for (const identity of identities) running.set(identity, name)
    for (const { kind, to, how } of relations) {
      if (kind === 'conflicts') addTo(against, to, { name, how })
    }
  }
  return ({ name: own, supervisor, service }) => {
    const { identities = [], relations = [] } = ties.get(locationKey({ supervisor, service })) ?? {}
    for (const { kind, to, how } of relations) {
      const name = kind === 'conflicts' ? running.get(to) : undefined
      if (name !== undefined && name !== own) return { name, how }
    }
    return identities.flatMap(identity => against.get(identity) ?? []).find(({ name }) => name !== own)
  }
}

export function keptRunning(facilities: readonly Facility[]): Kept[] {
  return facilities.filter(({ state, suspend }) => state === 'running' && !suspend)
}

/** Running services of suspended facilities, which are left as they are wherever they are. */
function keptSuspended(facilities: readonly Facility[], { ownedBy, snapshot }: PlanContext): Kept[] {
  return facilities.flatMap(({ name, suspend }) => {
    const own = suspend ? (ownedBy.get(name) ?? []) : []
    return own
      .filter(location => snapshot.services.get(locationKey(location))?.state === 'running')
      .map(({ supervisor, service }) => ({ name, supervisor, service }))
  })
}

/** A facility whose state is unmanaged may be stopped by the start of another, but not stop that by a restart. */
export function leaveRunning(plan: FacilityPlan, rivals: Rivals): FacilityPlan {
  const rival = rivals(plan)
  if (!rival) return plan
  const { name, how } = rival
  return withBlocker(
    plan,
    `it is to be restarted, which would stop facility ${name}, which is declared running: ${how}. ` +
      'Stop it, or take that out; its state is unmanaged, so that it goes on as it is until then',
  )
}

/**
 * Whether the old service of a move can run again beside the others (E14). One that would stop another facility can't, as each
 * pass would have the two stop one another (E21); nor one whose port another has by then (E24).
 */
export function openReturns(
  plans: readonly FacilityPlan[],
  context: PlanContext,
): (mover: string, to: Location) => boolean {
  const { targets, busy = [], owned, snapshot } = context
  const blocked = new Set(plans.flatMap(plan => (plan.blocked === undefined ? [] : plan.name)))
  const facilities = [...targets.map(({ facility }) => facility), ...busy]
  const kept = [...keptRunning(facilities), ...keptSuspended(facilities, context)]
  const rivals = openRivals(kept, snapshot.ties ?? new Map())
  const takers = new Map<string, string>()
  for (const facility of facilities) {
    const point = portPointOf(facility)
    const isUp = facility.state === 'running' && !facility.suspend && !blocked.has(facility.name)
    if (point !== undefined && isUp) takers.set(point, facility.name)
  }
  return (mover, to) => {
    const points = owned.get(locationKey(to))?.ownership.meets ?? []
    const isTaken = points.some(point => takers.has(point) && takers.get(point) !== mover)
    return !isTaken && rivals({ ...to, name: mover }) === undefined
  }
}
