import type { FileClaims } from '../../src/core/file-claim.ts'
import { readinessOf } from '../../src/core/readiness.ts'
import type { FacilityPlan, Plan } from '../../src/core/step.ts'
import { bringsUp } from '../../src/core/step-chain.ts'
import type { Target } from '../../src/core/target.ts'
import { locationKey } from '../../src/core/world.ts'
import { type SimulatedHost, surveyHost } from './simulated-host.ts'
import { performStep } from './simulated-step.ts'

export interface Execution {
  readonly host: SimulatedHost
  /** Ids of the steps done, in their order. */
  readonly done: readonly string[]
  /** Ids of the steps that can never be done: they wait for one another. Always a defect of the plan. */
  readonly deadlocked: readonly string[]
}

export interface ExecutionOptions {
  /** A crash after so many steps. Default: none. */
  readonly limit?: number
  /** Which of so many lanes goes on next: any of them may. Default: the first. */
  readonly choose?: (count: number) => number
  /** With what was found where files were adopted. */
  readonly claims?: FileClaims
}

interface Lane {
  readonly plan: FacilityPlan
  readonly target: Target | undefined
  next: number
}

/**
 * Carries a plan out as the executor does: the steps of a facility one after another, the facilities in any order that
 * `needs` allows, a start only when what it depends on is ready, the old side of a move removed only when the new one is.
 */
export function execute(
  plan: Plan,
  targets: readonly Target[],
  host: SimulatedHost,
  { limit = Number.POSITIVE_INFINITY, choose = () => 0, claims }: ExecutionOptions = {},
): Execution {
  const byName = new Map(targets.map(target => [target.facility.name, target]))
  const lanes: Lane[] = plan.facilities
    .filter(facility => facility.steps.length > 0)
    .map(facility => ({ plan: facility, target: byName.get(facility.name), next: 0 }))
  const pending = new Set(lanes.flatMap(lane => lane.plan.steps.map(step => step.id)))
  const failed = new Set<string>()
  const done: string[] = []
  let current = host
  while (done.length < limit) {
    failLanes(lanes, failed, pending)
    const free = lanes.filter(lane => {
      const step = lane.plan.steps[lane.next]
      return step && !failed.has(step.id) && step.needs.every(id => !pending.has(id) && !failed.has(id))
    })
    const open = free.filter(lane => mayGoOn(lane, targets, current))
    const lane = open[choose(open.length)]
    const step = lane?.plan.steps[lane.next]
    if (!lane || !step) {
      // Nothing goes on any more, so that what is still waited for won't come.
      const given = free.flatMap(waiting => waiting.plan.steps[waiting.next]?.id ?? [])
      if (given.length === 0) break
      for (const id of given) failed.add(id)
      continue
    }
    current = performStep(current, step, lane.plan, lane.target, claims)
    pending.delete(step.id)
    done.push(step.id)
    lane.next += 1
  }
  const deadlocked = done.length < limit ? [...pending].filter(id => !failed.has(id)) : []
  return { host: current, done, deadlocked }
}

/** What comes after a failed step, or needs it, fails too. */
function failLanes(lanes: readonly Lane[], failed: Set<string>, pending: Set<string>): void {
  for (let count = -1; count !== failed.size; ) {
    count = failed.size
    for (const lane of lanes) {
      const rest = lane.plan.steps.slice(lane.next)
      const broken = rest.findIndex(step => failed.has(step.id) || step.needs.some(id => failed.has(id)))
      if (broken >= 0) for (const step of rest.slice(broken)) failed.add(step.id)
    }
  }
  for (const id of failed) pending.delete(id)
}

function mayGoOn({ plan, target, next }: Lane, targets: readonly Target[], host: SimulatedHost): boolean {
  const step = plan.steps[next]
  if (!target || !step) return true
  if (step.target) return step.verb === 'stop' || isReady(target, host)
  if (!bringsUp(step)) return true
  return target.facility.dependsOn.every(name => {
    const dependency = targets.find(({ facility }) => facility.name === name)
    return dependency !== undefined && isReady(dependency, host)
  })
}

export function isReady(target: Target, host: SimulatedHost): boolean {
  const observed = surveyHost(host, [target]).services.get(locationKey(target.facility))
  return readinessOf(target.facility, observed, 'none', Number.MAX_SAFE_INTEGER).ready
}
