import type { ResolvedFacility, TakenPort } from '../model/resolved-facility.ts'
import { locationKey } from '../state/snapshot.ts'
import { withBlocker } from './blocking.ts'
import { meetingPointsOf } from './meeting-point.ts'
import type { PlanContext } from './plan-input.ts'
import { describeNoStart, isServing, leadsToStart } from './start-blocker.ts'
import type { FacilityPlan } from './step.ts'

type Hash = (text: string) => string
type Known = Pick<PlanContext, 'owned' | 'targets'>

/** Blocks plans that would stop a running service for one whose port is taken. `others`: plans that may release a port; not changed. */
export function blockTakenPorts(
  plans: readonly FacilityPlan[],
  others: readonly FacilityPlan[],
  context: PlanContext,
  hash: Hash,
): FacilityPlan[] {
  const waiting = context.targets.filter(({ takenPort }) => takenPort?.isNeeded)
  const result = new Map(plans.map(plan => [plan.name, plan]))
  // A blocked facility keeps its own port, which others may need.
  for (let before = -1, count = 0; before !== count; ) {
    before = count
    for (const target of waiting) {
      const plan = result.get(target.facility.name)
      if (!plan || plan.blocked !== undefined || !givesUp(plan, target, context)) continue
      const problem = findPortProblem(target, [...result.values(), ...others], context, hash)
      if (problem === undefined) continue
      result.set(plan.name, withBlocker(plan, describeNoStart([problem])))
      count += 1
    }
  }
  return [...result.values()]
}

function givesUp({ steps }: FacilityPlan, target: ResolvedFacility, { snapshot }: PlanContext): boolean {
  const observed = snapshot.services.get(locationKey(target.facility))
  if (!observed || !isServing(observed)) return false
  return steps.some(step => leadsToStart(step, steps, target, observed))
}

/** Undefined if the port is free, or its holder releases it first (E24). */
export function findPortProblem(
  { facility, takenPort }: ResolvedFacility,
  plans: readonly FacilityPlan[],
  known: Known,
  hash: Hash,
): string | undefined {
  if (!takenPort || isLeft(takenPort, plans, known, hash)) return undefined
  return describeTakenPort(takenPort, facility.name)
}

export function describeTakenPort({ port, pid, name }: TakenPort, facility: string): string {
  return `port ${port} is held by another process (pid ${pid}, ${name}), not by ${facility}`
}

/** Whether its marker names the port, so that a facility that takes it waits. */
function isLeft({ port, holder }: TakenPort, plans: readonly FacilityPlan[], known: Known, hash: Hash): boolean {
  const point = `port:${port}`
  const owned = holder === undefined ? undefined : known.owned.get(holder)
  if (!owned?.ownership.meets?.includes(point)) return false
  return plans.some(plan => {
    const ends = plan.steps.some(
      ({ verb, target }) => locationKey(target ?? plan) === holder && (verb === 'stop' || verb === 'restart'),
    )
    const declared = known.targets.find(target => target.facility.name === plan.name)
    const stays = declared && locationKey(plan) === holder && declared.facility.state !== 'stopped'
    return ends && !(stays && meetingPointsOf(declared.facility, hash).includes(point))
  })
}
