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
 * Where what a plan ends and what it starts could meet (a directory, a file, a port, a command: see `meetingPointsOf`), the
 * one is stopped before the other is started (E24). What goes is known by its marker. All others wait for nobody (E5). A
 * program that is reloaded goes from one port to another as one that is restarted does.
 */

type Hash = (text: string) => string

/** Of a removed service with a marker that doesn't say: it could meet anybody. */
const ANYWHERE = 'anywhere'

/** So many needs for one point are written out one by one; where there would be more, they go through one of the stops. */
const MOST_PAIRS = 256

/** The step that ends a process, or has it read its configuration again, and the points that it leaves. */
interface Leaving {
  readonly facility: string
  readonly step: Step
  readonly points: readonly string[]
}

/** A facility that comes up, or reads its configuration again, and the points where it hasn't been before. */
interface Coming {
  readonly plan: FacilityPlan
  readonly points: readonly string[]
}

/**
 * The plans with the needs of E24. `link` adds all other needs. A restart that would wait for itself this way (two
 * facilities that swap ports) is made of its two halves; what goes round in a circle even so is left out.
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

/** E4: whatever is stopped has to be started again though Reeve dies between the two. */
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

/** The step by which the facility comes to where it hasn't been before: of one that is reloaded, the reload. */
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
    if (!target || !findArrival(plan)) continue
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
    const write = plan.steps.find(
      step => step.verb === 'write-file' && placePoint(`file:${step.path}`, context.snapshot) === point,
    )
    for (const { facility, step } of before) {
      if (facility === plan.name) continue
      if (start) need(start, step)
      if (write) need(write, step) // a program may write its file as it ends
    }
  }
}

function addTo<T>(lists: Map<string, T[]>, key: string, value: T): void {
  const list = lists.get(key)
  if (list) list.push(value)
  else lists.set(key, [value])
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
    // What it has again afterwards it shares on purpose with whoever has it too.
    const kept = new Set(start && target ? pointsOf(target, context, hash) : [])
    const points = held.filter(point => !kept.has(point) && (point !== ANYWHERE || !target))
    return points.length === 0 ? [] : [{ facility: plan.name, step, points }]
  })
}

/** Where the process in that place may be: as its marker says, and as it was when it was last seen to be as declared. */
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

/** Those of what is declared, by where paths lead. */
function pointsOf({ facility }: ResolvedFacility, { snapshot }: PlanContext, hash: Hash): string[] {
  return meetingPointsOf(facility, hash).map(point => placePoint(point, snapshot))
}

/** Where its process is by now. A marker that a crash left without its restart says where it will be (E4); the record doesn't. */
function comesFrom(facility: Facility, context: PlanContext): readonly string[] {
  const key = locationKey(facility)
  const before = context.applied.get(facility.name)
  const recorded = before && locationKey(before) === key ? before.meets : context.meetsAt.get(key)
  const owned = context.owned.get(key)
  return recorded?.map(point => placePoint(point, context.snapshot)) ?? (owned ? heldBy(owned, context) : [])
}

/** Facilities that would come up beside a service which can't be stopped now, though no manifest declares it, wait. */
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
      // From manifests that aren't complete little can be told: only a port is never shared on purpose.
      const isCertain = (point: string): boolean => (context.prune ? point !== ANYWHERE : point.startsWith('port:'))
      for (const point of heldBy(location, context).filter(isCertain)) staying.set(point, { name, why })
    }
  }
  return staying
}
