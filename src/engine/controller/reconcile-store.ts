import type { Facility } from '../../core/model/facility.ts'
import type { ResolvedFacility } from '../../core/model/resolved-facility.ts'
import type { FacilityPlan, Plan } from '../../core/plan/step.ts'
import type { Condition } from '../../core/reconcile/conditions.ts'
import type { Waiting } from '../../core/reconcile/decide.ts'
import { locationKey } from '../../core/state/snapshot.ts'
import type { ManifestSet } from '../../manifest/manifest-set.ts'
import type { Refresh } from '../refresh/refresh.ts'
import type { StateRecord } from '../session/state-files.ts'
import type { BoundInstance } from '../session/supervisor-instances.ts'
import type { AskedPass } from './controller-passes.ts'

/** All that passes remember from one to the next. Nothing is owed to it (E4): the next look would find it again. */
export interface ReconcileState {
  /** As they were read last; undefined before the first time. */
  readonly set: ManifestSet | undefined
  readonly facilities: ReadonlyMap<string, Facility>
  /** Facilities by `locationKey`. */
  readonly byLocation: ReadonlyMap<string, string>
  readonly instances: ReadonlyMap<string, BoundInstance>
  readonly record: StateRecord
  /** The last full snapshot, with what was observed since in its place. */
  readonly seen: Pick<Refresh, 'snapshot' | 'availability'> | undefined
  /** Facilities as they were resolved when they were looked at last. Those that were acted on since aren't in here. */
  readonly resolved: ReadonlyMap<string, ResolvedFacility>
  readonly plans: ReadonlyMap<string, FacilityPlan>
  /** When it ended, ISO 8601. */
  readonly lastPass: string | null
  /** Why nothing is removed. */
  readonly guardProblem: string | undefined
  /** No manifest declares them any more, and they haven't been removed yet: as of the last look at the manifests. */
  readonly leaving: ReadonlySet<string>
  /** Facilities that were certain not to start when they were looked at last. */
  readonly hindered: ReadonlySet<string>
  /** Facilities of which what they failed for is gone, till that was tried. */
  readonly encouraged: ReadonlySet<string>
  readonly conditions: ReadonlyMap<string, readonly Condition[]>
  /** What passes have begun. What somebody asked for by hand isn't here. */
  readonly lanes: ReadonlyMap<string, LaneFacts>
  /** Some plans wait for others' lanes: see `findOvertaking`. */
  readonly hasDeferred: boolean
  /** Somebody wants no pass but theirs to begin anything now. */
  readonly isHeldBack: boolean
}

export interface LaneFacts {
  /** Of the manifest that it was made for; `''` for a removal. */
  readonly digest: string
  /** Whom to tell of it, where somebody asked for it. */
  readonly asked?: AskedPass
  /** It tries what had failed, as the cause is gone. */
  readonly isEncouraged: boolean
}

/** The only place where that changes. */
export interface ReconcileStore {
  readonly state: ReconcileState
  manifestsRead(set: ManifestSet): void
  declared(facilities: readonly Facility[], instances: ReadonlyMap<string, BoundInstance>): void
  recorded(record: StateRecord): void
  planned(plan: Plan, hasRead: boolean): void
  /** What a refresh has found. `at`: when the pass ended, ISO 8601. */
  looked(found: Refresh, at: string): void
  /** Whether something of the host is in the way. True: it was till now, and is no more. */
  hindranceSeen(target: ResolvedFacility): boolean
  /** It is ready, so that nothing is left to be tried. */
  ready(facility: string): void
  removalsJudged(problem: string | undefined): void
  deferred(waiting: readonly Waiting[]): void
  laneBegins(facility: string, digest: string, asked?: AskedPass): void
  /** Also of one that did not begin after all. What it was looked at before says nothing any more. Undefined where no pass has begun it. */
  laneEnded(facility: string): LaneFacts | undefined
  removed(facility: string): void
  conditionsSeen(facility: string, conditions: readonly Condition[]): void
  heldBack(): void
  releasedAgain(): void
}

type Writable<T> = { -readonly [Key in keyof T]: T[Key] }

export function createReconcileStore(record: StateRecord): ReconcileStore {
  const plans = new Map<string, FacilityPlan>()
  const leaving = new Set<string>()
  const hindered = new Set<string>()
  const encouraged = new Set<string>()
  const conditions = new Map<string, readonly Condition[]>()
  const lanes = new Map<string, LaneFacts>()
  const resolved = new Map<string, ResolvedFacility>()
  let holds = 0
  const state: Writable<ReconcileState> = {
    set: undefined,
    facilities: new Map(),
    byLocation: new Map(),
    instances: new Map(),
    record,
    seen: undefined,
    resolved,
    plans,
    lastPass: null,
    guardProblem: undefined,
    leaving,
    hindered,
    encouraged,
    conditions,
    lanes,
    hasDeferred: false,
    isHeldBack: false,
  }

  function keepDeclared(some: Map<string, unknown> | Set<string>): void {
    for (const name of some.keys()) if (!state.facilities.has(name)) some.delete(name)
  }

  function holdBack(change: 1 | -1): void {
    holds += change
    state.isHeldBack = holds > 0
  }

  return {
    state,
    manifestsRead(set) {
      state.set = set
    },
    declared(facilities, instances) {
      state.facilities = new Map(facilities.map(facility => [facility.name, facility]))
      state.byLocation = new Map(facilities.map(facility => [locationKey(facility), facility.name]))
      state.instances = instances
      keepDeclared(conditions)
      keepDeclared(hindered)
      keepDeclared(encouraged)
      for (const [name, { facility }] of resolved) {
        if (state.facilities.get(name)?.digest !== facility.digest) resolved.delete(name)
      }
    },
    recorded(next) {
      state.record = next
    },
    planned(plan, hasRead) {
      for (const facility of plan.facilities) plans.set(facility.name, facility)
      if (!hasRead) return
      leaving.clear()
      for (const { name } of plan.facilities) if (!state.facilities.has(name)) leaving.add(name)
    },
    looked({ targets, ...seen }, at) {
      state.seen = seen
      state.lastPass = at
      for (const target of targets) resolved.set(target.facility.name, target)
      keepDeclared(plans)
    },
    hindranceSeen({ facility: { name }, problems, startProblems }) {
      if (startProblems) hindered.add(name)
      const isGone = !startProblems && problems.length === 0 && hindered.delete(name)
      if (isGone) encouraged.add(name)
      return isGone
    },
    ready(name) {
      encouraged.delete(name)
    },
    removalsJudged(problem) {
      state.guardProblem = problem
    },
    deferred(waiting) {
      state.hasDeferred = waiting.some(({ why }) => why === 'overtaking')
    },
    laneBegins(name, digest, asked) {
      lanes.set(name, { digest, isEncouraged: encouraged.delete(name), ...(asked && { asked }) })
    },
    laneEnded(name) {
      const lane = lanes.get(name)
      lanes.delete(name)
      resolved.delete(name)
      return lane
    },
    removed(name) {
      leaving.delete(name)
    },
    conditionsSeen(name, found) {
      conditions.set(name, found)
    },
    heldBack: () => holdBack(1),
    releasedAgain: () => holdBack(-1),
  }
}

/** All manifests are known, and by them there is nothing to do: nothing is planned, under way, blocked, refused or held back. */
export function isSettled({ set, facilities, plans, guardProblem, leaving, lanes }: ReconcileState): boolean {
  if (!set?.complete || guardProblem !== undefined) return false
  // What is removed is gone from the host a moment before its lane ends.
  if (leaving.size > 0 || lanes.size > 0) return false
  return [...facilities.keys()].every(name => hasNothingToDo(plans.get(name)))
}

export function hasNothingToDo(plan: FacilityPlan | undefined): boolean {
  return plan !== undefined && plan.steps.length === 0 && plan.blocked === undefined
}
