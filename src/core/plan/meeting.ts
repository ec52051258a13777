import { addTo } from '../list-map.ts'
import { type Facility, isStartedAgain } from '../model/facility.ts'
import type { ResolvedFacility } from '../model/resolved-facility.ts'
import { type Location, locationKey, type OwnedLocation } from '../state/snapshot.ts'
import { withBlocker } from './blocking.ts'
import { describePoint, meetingPointsOf, placePoint } from './meeting-point.ts'
import type { PlanContext } from './plan-input.ts'
import { findOrphans } from './removal-plan.ts'
import type { FacilityPlan, Step } from './step.ts'
import { findStart } from './step-builder.ts'
import { findStepCycles, type MoreNeeds } from './step-cycle.ts'
import { addNeeds } from './step-order.ts'

/**
 * Where services that a plan stops and starts have a meeting point in common (a directory, file, port or command: see
 * `meetingPointsOf`), the one is stopped before the other is started (E24). Removed services are known by their markers. All others
 * wait for nobody (E5). A reload moves a program to another port as a restart does.
 */

type Hash = (text: string) => string

/** Meeting point of removed services whose markers name none: they could meet any service. */
const ANYWHERE = 'anywhere'

/** Limit of pairs for one meeting point; beyond it, all starts need one stop, which needs the other stops. */
const MOST_PAIRS = 256

/** Step that ends or reloads a process, with the meeting points that it leaves. */
interface Leaving {
  readonly facility: string
  readonly step: Step
  readonly points: readonly string[]
}

/** Facility that is started or reloaded, or writes its files, with its new meeting points. */
interface Coming {
  readonly plan: FacilityPlan
  readonly points: readonly string[]
}

/**
 * Adds the needs of E24. `link` adds all other needs. A restart that would wait for itself (two facilities that swap ports) is split into
 * stop and start; needs that form a cycle even so are left out.
 */
export function linkMeetings(
  plans: readonly FacilityPlan[],
  link: (plans: readonly FacilityPlan[]) => FacilityPlan[],
  context: PlanContext,
  hash: Hash,
): FacilityPlan[] {
  const linked = link(plans)
  const needs = findNeeds(linked, context, hash)
  if (needs.size === 0) return linked
  const circles = findStepCycles(linked, needs)
  if (circles.size === 0) return withNeeds(linked, needs)
  const mayHalve = findStartedAgain(context)
  const halved = link(plans.map(plan => (mayHalve.has(plan.name) ? halveRestart(plan, circles) : plan)))
  const again = findNeeds(halved, context, hash)
  const left = findStepCycles(halved, again)
  return withNeeds(halved, new Map([...again].map(([id, ids]) => [id, left.has(id) ? outside(ids, left) : ids])))
}

function outside(ids: ReadonlySet<string>, circles: ReadonlySet<string>): Set<string> {
  return new Set([...ids].filter(id => !circles.has(id)))
}

function withNeeds(plans: readonly FacilityPlan[], needs: MoreNeeds): FacilityPlan[] {
  return plans.map(plan => addNeeds(plan, step => [...(needs.get(step.id) ?? [])]))
}

/** Facilities that are started again after a crash between stop and start (E4). */
function findStartedAgain({ targets }: PlanContext): Set<string> {
  return new Set(targets.flatMap(({ facility }) => (isStartedAgain(facility) ? facility.name : [])))
}

function halveRestart(plan: FacilityPlan, circles: ReadonlySet<string>): FacilityPlan {
  const steps = plan.steps.flatMap((step): Step[] => {
    if (step.verb !== 'restart' || !circles.has(step.id)) return [step]
    const stop: Step = { ...step, id: `${plan.name}/stop`, verb: 'stop' }
    return [stop, { ...step, id: `${plan.name}/start`, verb: 'start', needs: [stop.id] }]
  })
  const restart = `${plan.name}/restart`
  const renamed = steps.map(step =>
    step.needs.includes(restart)
      ? { ...step, needs: step.needs.map(id => (id === restart ? `${plan.name}/start` : id)) }
      : step,
  )
  return { ...plan, steps: renamed }
}

/** Step by which the facility takes its meeting points: its start, or else its reload. */
function findArrival({ steps }: FacilityPlan): Step | undefined {
  return findStart(steps) ?? steps.find(({ verb }) => verb === 'reload')
}

function findNeeds(plans: readonly FacilityPlan[], context: PlanContext, hash: Hash): Map<string, Set<string>> {
  const targets = new Map(context.targets.map(target => [target.facility.name, target]))
  const leaving = new Map<string, Leaving[]>()
  for (const plan of plans) {
    for (const one of findLeaving(plan, targets.get(plan.name), context, hash)) {
      for (const point of one.points) addTo(leaving, point, one)
    }
  }
  const needs = new Map<string, Set<string>>()
  if (leaving.size === 0) return needs
  const coming = new Map<string, Coming[]>()
  for (const plan of plans) {
    const target = targets.get(plan.name)
    // One that isn't started comes with its files alone.
    if (!target || !(findArrival(plan) || plan.steps.some(isWrite))) continue
    const points = [...comingTo(target, context, hash), ANYWHERE]
    for (const point of points) if (leaving.has(point)) addTo(coming, point, { plan, points })
  }
  for (const [point, takers] of coming) pair(point, takers, leaving.get(point) ?? [], { needs, context })
  return needs
}

function pair(
  point: string,
  takers: readonly Coming[],
  leavers: readonly Leaving[],
  { needs, context }: { readonly needs: Map<string, Set<string>>; readonly context: PlanContext },
): void {
  const need = (step: Step, other: Step): void => {
    const ids = needs.get(step.id)
    if (ids) ids.add(other.id)
    else needs.set(step.id, new Set([other.id]))
  }
  let before = leavers
  const last = leavers.at(-1)
  if (last && takers.length * leavers.length > MOST_PAIRS) {
    for (const { step } of leavers) if (step !== last.step) need(last.step, step)
    before = [last]
  }
  for (const { plan } of takers) {
    const start = findArrival(plan)
    const write = plan.steps.find(step => isWrite(step) && placePoint(`file:${step.path}`, context.snapshot) === point)
    for (const { facility, step } of before) {
      if (facility === plan.name) continue
      if (start) need(start, step)
      if (write) need(write, step) // the stopped program may write its file as it ends
    }
  }
}

function isWrite({ verb }: Step): boolean {
  return verb === 'write-file'
}

function findLeaving(
  plan: FacilityPlan,
  target: ResolvedFacility | undefined,
  context: PlanContext,
  hash: Hash,
): Leaving[] {
  const start = findArrival(plan)
  return plan.steps.flatMap(step => {
    if (step.verb !== 'stop' && step.verb !== 'restart' && step.verb !== 'reload') return []
    const held = heldAt(step.target ?? plan, target, context, hash)
    // Points that it keeps are shared on purpose with others that have them.
    const kept = new Set(start && target ? pointsOf(target, context, hash) : [])
    const points = held.filter(point => !kept.has(point) && (point !== ANYWHERE || !target))
    return points.length === 0 ? [] : [{ facility: plan.name, step, points }]
  })
}

/** Meeting points of the process at a location: by its marker, and by its last applied state. */
function heldAt(at: Location, target: ResolvedFacility | undefined, context: PlanContext, hash: Hash): string[] {
  const owned = context.owned.get(locationKey(at))
  if (owned) return heldBy(owned, context)
  const recorded = context.meetsAt.get(locationKey(at)) ?? []
  const places = recorded.map(point => placePoint(point, context.snapshot))
  return [...places, ...(target ? pointsOf(target, context, hash) : [])]
}

function heldBy(location: OwnedLocation, context: PlanContext): string[] {
  const { meets, files } = location.ownership
  const recorded = context.meetsAt.get(locationKey(location))
  const points = new Set(
    [...(meets ?? []), ...(recorded ?? []), ...files.map(path => `file:${path}`)].map(point =>
      placePoint(point, context.snapshot),
    ),
  )
  if (meets === undefined && recorded === undefined) points.add(ANYWHERE)
  return [...points]
}

function comingTo(target: ResolvedFacility, context: PlanContext, hash: Hash): string[] {
  const state = context.snapshot.services.get(locationKey(target.facility))?.state
  const isUp = state === 'running' || state === 'starting'
  const has = new Set(isUp ? comesFrom(target.facility, context) : [])
  return pointsOf(target, context, hash).filter(point => !has.has(point))
}

/** Declared meeting points, with paths resolved. */
function pointsOf({ facility }: ResolvedFacility, { snapshot }: PlanContext, hash: Hash): string[] {
  return meetingPointsOf(facility, hash).map(point => placePoint(point, snapshot))
}

/** Present meeting points of its process. After a crash before a restart, the marker has those to come (E4), and the record the present ones. */
function comesFrom(facility: Facility, context: PlanContext): readonly string[] {
  const key = locationKey(facility)
  const before = context.applied.get(facility.name)
  const recorded = before && locationKey(before) === key ? before.meets : context.meetsAt.get(key)
  const owned = context.owned.get(key)
  return recorded?.map(point => placePoint(point, context.snapshot)) ?? (owned ? heldBy(owned, context) : [])
}

/** Blocks facilities that would be started beside an undeclared service that cannot be stopped now. */
export function blockMeetings(plans: readonly FacilityPlan[], context: PlanContext, hash: Hash): FacilityPlan[] {
  const staying = findStaying(context)
  if (staying.size === 0) return [...plans]
  const targets = new Map(context.targets.map(target => [target.facility.name, target]))
  return plans.map(plan => {
    const target = targets.get(plan.name)
    if (!target || !findArrival(plan)) return plan
    for (const point of comingTo(target, context, hash)) {
      const found = staying.get(point)
      if (found === undefined || found.name === plan.name) continue
      const why = `it would meet ${found.name} (${describePoint(point)}), which no manifest declares any more: ${found.why}`
      return withBlocker(plan, why)
    }
    return plan
  })
}

function findStaying(context: PlanContext): Map<string, { readonly name: string; readonly why: string }> {
  const staying = new Map<string, { readonly name: string; readonly why: string }>()
  for (const [name, locations] of findOrphans(context)) {
    for (const location of locations) {
      const observed = context.snapshot.services.get(locationKey(location))
      const isUnknown = !observed || observed.state === 'unknown'
      const isUp = observed?.state === 'running' || observed?.state === 'starting' || observed?.state === 'stopping'
      if (!isUnknown && (context.prune || !isUp)) continue
      const why = isUnknown
        ? `its state is unknown, so it can't be stopped first (${observed?.message ?? 'the supervisor said nothing of it'})`
        : 'it is stopped first, which has to wait until all manifests are valid'
      // With incomplete manifests, only ports are certain not to be shared on purpose.
      const isCertain = (point: string): boolean => (context.prune ? point !== ANYWHERE : point.startsWith('port:'))
      for (const point of heldBy(location, context).filter(isCertain)) staying.set(point, { name, why })
    }
  }
  return staying
}
