import { isStartedAgain } from '../../src/core/model/facility.ts'
import type { ResolvedFacility, ResolvedFile } from '../../src/core/model/resolved-facility.ts'
import { rollbackAfter } from '../../src/core/plan/rollback.ts'
import type { FacilityPlan, Plan, Step } from '../../src/core/plan/step.ts'
import { bringsUp } from '../../src/core/plan/step-builder.ts'
import type { FileClaims } from '../../src/core/state/file-claim.ts'
import { type HealthState, type Readiness, readinessOf } from '../../src/core/state/readiness.ts'
import { type Location, locationKey } from '../../src/core/state/snapshot.ts'
import { bytesEqual } from '../../src/core/text/bytes.ts'
import { followsStop, isLastStop, planRestore, planRewrite } from '../../src/engine/execution/overwritten-files.ts'
import { isProgram } from './declaration.ts'
import { readDefinition, refreshHost, resolve, type SimulatedHost, type SimulatedService } from './simulated-host.ts'
import { isUp, NOW } from './simulated-process.ts'
import { performStep } from './simulated-step.ts'

export interface Execution {
  readonly host: SimulatedHost
  /** Ids of the executed steps, in their order. */
  readonly done: readonly string[]
  /** Ids of steps that can never be executed, as they wait for one another. Always a defect of the plan. */
  readonly deadlocked: readonly string[]
  /** Facilities that did not come up, and those that wait for them. */
  readonly failed: ReadonlySet<string>
  readonly events: ReadonlySet<ExecutionEvent>
}

/** A move whose new service didn't come up; a program that wrote its files as it ended. */
export type ExecutionEvent = 'rolled back' | 'written back'

export interface ExecutionOptions {
  /** A crash after so many steps. Default: none. */
  readonly limit?: number
  /** Chooses which of so many lanes continues next: any may. Default: the first. */
  readonly choose?: (count: number) => number
  /** Includes the contents found where files were adopted. */
  readonly claims?: FileClaims
}

interface Lane {
  readonly plan: FacilityPlan
  readonly target: ResolvedFacility | undefined
  next: number
}

/**
 * Carries a plan out as the executor does: the steps of a facility one after another, the facilities in any order that
 * `needs` allows, a start only when what it depends on is ready, the old side of a move removed only when the new one is;
 * if that doesn't come up, the plan's rollback (E14).
 */
export function execute(
  plan: Plan,
  targets: readonly ResolvedFacility[],
  host: SimulatedHost,
  { limit = Number.POSITIVE_INFINITY, choose = () => 0, claims }: ExecutionOptions = {},
): Execution {
  const byName = new Map(targets.map(target => [target.facility.name, target]))
  const lanes: Lane[] = plan.facilities
    .filter(facility => facility.steps.length > 0)
    .map(facility => ({ plan: facility, target: byName.get(facility.name), next: 0 }))
  const pending = new Set(lanes.flatMap(lane => lane.plan.steps.map(step => step.id)))
  const failed = new Set<string>()
  const events = new Set<ExecutionEvent>()
  const done: string[] = []
  let current = host
  let left = limit
  const perform = ({ plan: facility, target }: Lane, step: Step): void => {
    left -= 1
    current = performStep(current, step, facility, target, claims)
  }
  const fail = (lane: Lane, step: Step): void => {
    failed.add(step.id)
    const rollback = rollbackAfter(lane.plan, step)
    if (rollback) events.add('rolled back')
    for (const undo of rollback?.steps ?? []) if (left > 0) perform(lane, undo)
  }
  /** Files that the program has written back as it ended. */
  const overwritten = ({ target }: Lane): ResolvedFile[] => {
    const holds = ({ path, content }: ResolvedFile): boolean => {
      const found = current.files.get(path)
      return found !== undefined && bytesEqual(found.content, content)
    }
    return target?.files.filter(file => !holds(file)) ?? []
  }
  const rewrite = (lane: Lane, step: Step): void => {
    const files = overwritten(lane)
    if (files.length > 0) events.add('written back')
    for (const { path } of files) if (left > 0) perform(lane, { ...step, verb: 'write-file', path })
  }
  /** False if they can't be kept as declared. */
  const keepFiles = (lane: Lane, ended: Step): boolean => {
    // Files of a blocked facility aren't touched, even if it is stopped.
    const staysStopped = lane.plan.blocked === undefined && isLastStop(lane.plan, ended)
    const files = ended.verb === 'restart' || staysStopped ? overwritten(lane) : []
    if (!lane.target || files.length === 0) return true
    events.add('written back')
    if (!staysStopped && !isStartedAgain(lane.target.facility)) return false
    const steps = staysStopped ? planRestore(lane.plan, files) : planRewrite(lane.plan, files)
    for (const step of steps) if (left > 0) perform(lane, step)
    return true
  }
  while (left > 0) {
    failLanes(lanes, failed, pending)
    const free = lanes.filter(lane => {
      const step = lane.plan.steps[lane.next]
      return step && !failed.has(step.id) && step.needs.every(id => !pending.has(id) && !failed.has(id))
    })
    const open = free.filter(lane => mayGoOn(lane, targets, current))
    const lane = open[choose(open.length)]
    const step = lane?.plan.steps[lane.next]
    if (!lane || !step) {
      // Nothing continues any more, so pending needs won't be met.
      if (free.length === 0) break
      for (const waiting of free) {
        const given = waiting.plan.steps[waiting.next]
        if (given) fail(waiting, given)
      }
      continue
    }
    if (followsStop(lane.plan, step)) rewrite(lane, step)
    perform(lane, step)
    if (!keepFiles(lane, step) || (bringsUp(step) && hasFailed(lane.plan, current))) {
      fail(lane, step)
      continue
    }
    pending.delete(step.id)
    done.push(step.id)
    lane.next += 1
  }
  const deadlocked = left > 0 ? [...pending].filter(id => !failed.has(id)) : []
  const failures = lanes.filter(lane => lane.plan.steps.some(step => failed.has(step.id)))
  return { host: current, done, deadlocked, failed: new Set(failures.map(lane => lane.plan.name)), events }
}

/** It ended at once, and isn't restarted. */
function hasFailed(at: Location, host: SimulatedHost): boolean {
  return host.services.get(locationKey(resolve(host, at)))?.state === 'failed'
}

/** Steps after a failed step, and those that need it, fail too. */
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

function mayGoOn({ plan, target, next }: Lane, targets: readonly ResolvedFacility[], host: SimulatedHost): boolean {
  const step = plan.steps[next]
  if (!target || !step) return true
  if (step.target) return step.verb === 'stop' || isReady(target, host)
  if (!bringsUp(step)) return true
  return target.facility.dependsOn.every(name => {
    const dependency = targets.find(({ facility }) => facility.name === name)
    return dependency !== undefined && isReady(dependency, host)
  })
}

function isReady(target: ResolvedFacility, host: SimulatedHost): boolean {
  return readinessIn(host, target).ready
}

export function readinessIn(host: SimulatedHost, target: ResolvedFacility): Readiness {
  const observed = refreshHost(host, [target]).services.get(locationKey(target.facility))
  return readinessOf(target.facility, observed, healthOf(target, host), NOW)
}

/** Answer at its port, whoever gives it; a hung service gives none. */
export function healthOf({ facility }: ResolvedFacility, host: SimulatedHost): HealthState {
  const check = facility.health?.check
  if (check?.type !== 'tcp') return 'none'
  const own = host.services.get(locationKey(resolve(host, facility)))
  const isAnswered = [...host.services.values()].some(service => {
    // A service that was not restarted when its check was declared has listened there all along.
    const listens = service.port === check.port || (service === own && service.port === undefined)
    return listens && isUp(service) && !hangs(service, host)
  })
  return isAnswered ? 'healthy' : 'starting'
}

function hangs({ supervisor, service, packaged }: SimulatedService, host: SimulatedHost): boolean {
  return !packaged && isProgram(readDefinition(host, supervisor, service)?.process.command, 'hung')
}
