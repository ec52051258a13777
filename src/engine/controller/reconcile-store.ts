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

/** State that passes keep from one to the next. Nothing depends on it (E4): the next full snapshot would find it again. */
export interface ReconcileState {
  /** Manifests as last read. Undefined before the first reading. */
  readonly set: ManifestSet | undefined
  readonly facilities: ReadonlyMap<string, Facility>
  /** Names of facilities by `locationKey`. */
  readonly byLocation: ReadonlyMap<string, string>
  readonly instances: ReadonlyMap<string, BoundInstance>
  readonly record: StateRecord
  /** The last full snapshot, with what was observed since in its place. */
  readonly seen: Pick<Refresh, 'snapshot' | 'availability'> | undefined
  /** Facilities as last observed and resolved, without those whose lane has ended since. */
  readonly resolved: ReadonlyMap<string, ResolvedFacility>
  readonly plans: ReadonlyMap<string, FacilityPlan>
  /** End of the last pass, ISO 8601. */
  readonly lastPass: string | null
  /** Why the removal guard refuses the removals. */
  readonly guardProblem: string | undefined
  /** Plans of facilities to be removed, by the last reading of the manifests. */
  readonly leaving: ReadonlyMap<string, FacilityPlan>
  /** Facilities that were certain not to start when they were last resolved. */
  readonly hindered: ReadonlySet<string>
  /** Facilities whose cause of failure is gone, until they are tried again. */
  readonly encouraged: ReadonlySet<string>
  readonly conditions: ReadonlyMap<string, readonly Condition[]>
  /** Lanes that passes began. Those of manual actions aren't here. */
  readonly lanes: ReadonlyMap<string, LaneFacts>
  /** Some plans wait for others' lanes: see `findOvertaking`. */
  readonly hasDeferred: boolean
  /** Facilities whose turn in the roll-out it isn't yet. */
  readonly outOfTurn: ReadonlySet<string>
  /** A requested pass keeps all others from beginning lanes. */
  readonly isHeldBack: boolean
}

export interface LaneFacts {
  /** Digest of the facility that the lane was made for; `''` for a removal. */
  readonly digest: string
  /** The requested pass that began it. */
  readonly asked?: AskedPass
  /** The lane retries a failure whose cause is gone. */
  readonly isEncouraged: boolean
}

/** The only place where the state changes. */
export interface ReconcileStore {
  readonly state: ReconcileState
  manifestsRead(set: ManifestSet): void
  declared(facilities: readonly Facility[], instances: ReadonlyMap<string, BoundInstance>): void
  recorded(record: StateRecord): void
  planned(plan: Plan, hasRead: boolean): void
  /** Result of a pass's refresh. `at`: end of the pass, ISO 8601. */
  refreshed(found: Refresh, at: string): void
  /** Notes whether the host lacks what a start needs. True: it did until now, and no longer does. */
  hindranceSeen(target: ResolvedFacility): boolean
  /** The facility is ready: nothing is left to retry. */
  ready(facility: string): void
  removalsJudged(problem: string | undefined): void
  deferred(waiting: readonly Waiting[]): void
  laneBegins(facility: string, digest: string, asked?: AskedPass): void
  /** The lane ended, or did not begin after all: earlier observations no longer count. Undefined if no pass began it. */
  laneEnded(facility: string): LaneFacts | undefined
  removed(facility: string): void
  conditionsSeen(facility: string, conditions: readonly Condition[]): void
  heldBack(): void
  releasedAgain(): void
}

type Writable<T> = { -readonly [Key in keyof T]: T[Key] }

export function createReconcileStore(record: StateRecord): ReconcileStore {
  const plans = new Map<string, FacilityPlan>()
  const leaving = new Map<string, FacilityPlan>()
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
    outOfTurn: new Set(),
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
      for (const gone of plan.facilities) if (!state.facilities.has(gone.name)) leaving.set(gone.name, gone)
    },
    refreshed({ targets, ...seen }, at) {
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
      const isBitByBit = waiting.some(({ why }) => why === 'out-of-turn')
      const later = waiting.filter(({ why }) => why === 'out-of-turn' || (isBitByBit && why === 'overtaking'))
      state.outOfTurn = new Set(later.map(({ facility }) => facility))
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

/** All manifests are known, and nothing is planned, under way, blocked, refused or held back. */
export function isSettled({ set, facilities, plans, guardProblem, leaving, lanes }: ReconcileState): boolean {
  if (!set?.complete || guardProblem !== undefined) return false
  // A removed service is gone from the host a moment before its lane ends.
  if (leaving.size > 0 || lanes.size > 0) return false
  return [...facilities.keys()].every(name => hasNothingToDo(plans.get(name)))
}

/** There are steps for it that haven't begun, or its removal has not ended. */
export function hasWork({ plans, facilities, leaving, lanes }: ReconcileState, name: string): boolean {
  if (facilities.has(name)) return (plans.get(name)?.steps.length ?? 0) > 0
  return lanes.has(name) || (leaving.get(name)?.steps.length ?? 0) > 0
}

export function hasNothingToDo(plan: FacilityPlan | undefined): boolean {
  return plan !== undefined && plan.steps.length === 0 && plan.blocked === undefined
}
