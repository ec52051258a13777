import type { OnChange } from '../../src/core/model/facility.ts'
import type { ResolvedFacility } from '../../src/core/model/resolved-facility.ts'
import { observeClaims } from '../../src/core/plan/claim-keeping.ts'
import type { Applied } from '../../src/core/plan/plan-input.ts'
import { makePlan } from '../../src/core/plan/planning.ts'
import type { FacilityPlan, Plan } from '../../src/core/plan/step.ts'
import type { FileClaims } from '../../src/core/state/file-claim.ts'
import type { Loaded } from '../../src/core/state/observed.ts'
import { locationKey } from '../../src/core/state/snapshot.ts'
import { announceWrites, nextRecord } from '../../src/engine/execution/record-keeping.ts'
import type { StateRecord } from '../../src/engine/session/state-files.ts'
import { OWNER, sha256 } from './declaration.ts'
import { type ExecutionEvent, type ExecutionOptions, execute } from './execution.ts'
import { refreshHost, type SimulatedHost } from './simulated-host.ts'

/** Reeve and its host at rest between two passes. */
export interface Situation {
  readonly host: SimulatedHost
  readonly applied: ReadonlyMap<string, Applied>
  /** Absent: the record was lost. */
  readonly claims?: FileClaims
}

export interface PassOptions extends ExecutionOptions {
  /** False: the set of manifests is incomplete. */
  readonly prune?: boolean
}

export interface Pass extends Situation {
  readonly plan: Plan
  readonly done: readonly string[]
  readonly deadlocked: readonly string[]
  readonly failed: ReadonlySet<string>
  readonly events: ReadonlySet<ExecutionEvent>
}

export function planFor(situation: Situation, targets: readonly ResolvedFacility[], prune = true): Plan {
  const { host, applied } = situation
  const snapshot = refreshHost(host, targets)
  const claims = observeClaims(situation.claims ?? new Map(), snapshot, targets, OWNER)
  return makePlan({ targets, snapshot, owner: OWNER, applied, claims, prune }, sha256)
}

/** One pass as `apply` makes it: plan, execute, observe, and record what is up to date. */
export function pass(situation: Situation, targets: readonly ResolvedFacility[], options: PassOptions = {}): Pass {
  const plan = planFor(situation, targets, options.prune)
  const before = recordOf(situation)
  const refresh = { snapshot: refreshHost(situation.host, targets), targets, availability: new Map() }
  const seen = { ...before, claims: observeClaims(before.claims, refresh.snapshot, targets, OWNER) }
  const announced = announceWrites(seen, plan.facilities, { refresh, owner: OWNER })
  const { host, done, deadlocked, failed, events } = execute(plan, targets, situation.host, {
    ...options,
    claims: announced.claims,
  })
  const isCutOff = options.limit !== undefined
  const record = isCutOff ? announced : noteApplied({ ...announced, host }, targets)
  return { host, applied: record.applied, claims: record.claims, plan, done, deadlocked, failed, events }
}

function recordOf({ applied, claims = new Map() }: Situation): StateRecord {
  return { applied, claims, instances: new Map() }
}

/** The engine's own record keeping. */
function noteApplied(situation: Situation, targets: readonly ResolvedFacility[]): StateRecord {
  const refresh = { snapshot: refreshHost(situation.host, targets), targets, availability: new Map() }
  const record = recordOf(situation)
  return nextRecord({ record, instances: new Map(), refresh, plan: planFor(situation, targets), owner: OWNER })
}

export interface Convergence extends Situation {
  /** Number of passes with steps. */
  readonly passes: number
  readonly plans: readonly Plan[]
}

/** Passes until one has no steps, or fails with the same failures as the one before; at most `most`. */
export function converge(
  situation: Situation,
  targets: readonly ResolvedFacility[],
  options: PassOptions = {},
  most = 10,
): Convergence {
  const plans: Plan[] = []
  let current: Situation = situation
  let passes = 0
  let failing: string | undefined
  while (plans.length < most) {
    const result = pass(current, targets, options)
    plans.push(result.plan)
    current = result
    const isInVain = planned(result.plan).every(({ name }) => result.failed.has(name))
    if (!isInVain) passes += 1
    const steps = stepsOf(result.plan)
    if (steps.length === 0 || (isInVain && steps.join() === failing)) break
    failing = isInVain ? steps.join() : undefined
  }
  return { ...current, passes, plans }
}

function planned({ facilities }: Plan): FacilityPlan[] {
  return facilities.filter(({ steps }) => steps.length > 0)
}

/** `except`: facilities whose steps don't count. */
export function stepsOf(plan: Plan, except: ReadonlySet<string> = new Set()): string[] {
  return plan.facilities.flatMap(({ name, steps }) => (except.has(name) ? [] : steps.map(step => step.id)))
}

/**
 * The end state in a form that compares: no pids, sorted. Memory of the programs is left out, and what they have loaded counts
 * where `targets` declare it, for an existing service they don't, and a change of it matters: a crash-looping service that its
 * supervisor restarts between two steps has what is there by then.
 */
export function describeHost(host: SimulatedHost, targets: readonly ResolvedFacility[]): unknown {
  const declared = new Map(targets.map(target => [locationKey(target.facility), target]))
  const services = [...host.services].map(([key, { pid: _pid, memory: _memory, loaded, ...service }]) => {
    const target = declared.get(key)
    return [key, target?.definition && loaded ? { ...service, loaded: effectiveOf(loaded, target) } : service]
  })
  const files = [...host.files].map(([path, { content, ...facts }]) => [path, new TextDecoder().decode(content), facts])
  return { services: services.sort(byFirst), files: files.sort(byFirst) }
}

/** Without what is declared to matter to no running process. */
function effectiveOf({ definition, files }: Loaded, { facility, files: declared }: ResolvedFacility): Loaded {
  const onChange = (path: string): OnChange => declared.find(file => file.path === path)?.onChange ?? facility.onChange
  const counted = Object.entries(files).filter(([path]) => onChange(path) !== 'none')
  return { definition: facility.onChange === 'none' ? '' : definition, files: Object.fromEntries(counted) }
}

function byFirst(left: readonly unknown[], right: readonly unknown[]): number {
  return String(left[0]) < String(right[0]) ? -1 : 1
}
