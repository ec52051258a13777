import type { EngineListener } from '../../core/contracts/engine-event.ts'
import { countOwned } from '../../core/plan/removal-guard.ts'
import type { FacilityPlan, Plan } from '../../core/plan/step.ts'
import { MOVE_RETRY, RETRY } from '../../core/reconcile/backoff.ts'
import { decide, findOvertaken, type Known, type Pruning } from '../../core/reconcile/decide.ts'
import type { RolloutGate } from '../../core/reconcile/rollout-turn.ts'
import { logKept, mayWrite } from '../execution/admission.ts'
import { type Execution, openExecution } from '../execution/execution.ts'
import { type LaneResult, makeWork } from '../execution/lane.ts'
import { announcePlans, noteDone, noteWritten } from '../execution/record-keeping.ts'
import type { Refresh } from '../refresh/refresh.ts'
import type { Session } from '../session/session.ts'
import { spellCommand } from '../session/session-words.ts'
import type { StateRecord } from '../session/state-files.ts'
import type { BackoffTracker } from './backoff-tracker.ts'
import type { AskedPass } from './controller-passes.ts'
import { createPruneDelay } from './prune-delay.ts'
import type { ReconcileQueue } from './reconcile-queue.ts'
import type { ReconcileStore } from './reconcile-store.ts'
import type { RestartWatch } from './restart-watch.ts'
import type { StateKeeping } from './state-keeping.ts'
import { createUndoingGuard, type UndoingGuard } from './undoing.ts'

/** Begins lanes for plans, records what they are about to write, and handles their ends. */
export interface Lanes extends Disposable {
  readonly execution: Execution
  readonly undoings: UndoingGuard
  /** Begins lanes for the plans that may begin now. */
  begin(plan: Plan, refresh: Refresh, basis: PassBasis): void
  /** Begins lanes for a requested plan, whatever would hold it back otherwise. Gives them by facility, each with the error it ends with. */
  beginAsked(plan: Plan, refresh: Refresh, asked: AskedPass): ReadonlyMap<string, Promise<Error | undefined>>
  /** Aborts lanes that newer manifests supersede (E6). */
  abortOvertaken(suspended: ReadonlySet<string>): void
  /** Aborts all lanes that passes began, and names their facilities. */
  giveUp(): string[]
}

/** What the plan of a pass was made from. */
export interface PassBasis {
  /** When the manifests were read for this pass; undefined: they weren't. */
  readonly readAt: number | undefined
  /** All manifests are valid and known. */
  readonly isComplete: boolean
  /** Facilities that had a lane when the refresh began. */
  readonly wasBusy: ReadonlySet<string>
}

export interface LanesGround {
  readonly store: ReconcileStore
  readonly keeping: StateKeeping
  readonly retries: BackoffTracker
  readonly restarts: RestartWatch
  readonly queue: ReconcileQueue
  readonly listener: EngineListener
  readonly allowRemovals: number
  /** Which facilities may not begin now, as a revision is carried out bit by bit. Absent: all may. */
  readonly gate?: () => RolloutGate | undefined
  save(record: StateRecord): void
  /** Drift of a facility was corrected. */
  drifted(): void
  /** The status of the facility may have changed. */
  changed(facility: string): void
}

export function openLanes(session: Session, ground: LanesGround): Lanes {
  const { clock, configuration, log } = session
  const { keeping, restarts, retries, store, queue } = ground
  const { state } = store
  const { owner, removalLimit } = configuration
  // The manifests are read again, as their newest state says what is gone.
  const removals = createPruneDelay(clock, () => queue.manifests())
  const execution = openExecution(session, {
    instances: () => state.instances,
    claims: () => state.record.claims,
    wrote: (path, digest) => store.recorded(noteWritten(state.record, path, digest)),
    trigger: 'controller',
    triggerOf: name => state.lanes.get(name)?.asked?.trigger,
    history: keeping.history,
    bounded: false,
    listener(event) {
      undoings.noted(event)
      ground.listener(event)
      state.lanes.get(event.facility)?.asked?.listener(event)
    },
    settled,
    changed(name) {
      ground.changed(name)
      queue.facility(name)
    },
  })
  const { executor } = execution
  const undoings = createUndoingGuard({ clock, log, history: execution.history, retries })

  function settled(lane: LaneResult): void {
    const { plan, target } = lane
    const { name } = plan
    restarts.acted(name, clock.now())
    undoings.settled(name, plan.change === 'remove' ? '' : (target?.facility.digest ?? ''))
    const begun = store.laneEnded(name)
    if (begun && lane.result === 'failed') noteFailure(lane, begun.digest)
    else if (begun && lane.result === 'done') noteSuccess(lane, begun.digest, begun.isEncouraged)
    ground.changed(name)
    // A finished lane is observed again, never trusted. Moves and removals concern more than one service.
    if (state.hasDeferred) queue.manifests()
    else if (target && state.facilities.has(name) && !plan.steps.some(step => step.target)) queue.facility(name)
    else queue.full()
  }

  function noteFailure({ plan: { name, steps }, error }: LaneResult, digest: string): void {
    const isMove = steps.some(step => step.reason === 'moved')
    retries.failed(name, digest, error?.message ?? 'it failed', isMove ? MOVE_RETRY : RETRY)
    log.warn({ facility: name, error: error?.message }, `${name}: not as declared yet; it will be tried again`)
  }

  function noteSuccess({ plan, target }: LaneResult, digest: string, wasEncouraged: boolean): void {
    const { name, change, steps } = plan
    if (wasEncouraged) retries.forget(name)
    else retries.done(name, digest, steps)
    // The next pass writes it to disk.
    if (target && plan.blocked === undefined) store.recorded(noteDone(state.record, target))
    if (change === 'repair') ground.drifted()
    if (change === 'remove') store.removed(name)
  }

  function setGoing(plan: Plan, refresh: Refresh, known: Known, asked?: AskedPass): ReadonlySet<string> {
    const intended = decide(plan, known)
    const unwritten = announce(intended.start, refresh)
    const { start, wait, removals: judged } = unwritten.size === 0 ? intended : decide(plan, { ...known, unwritten })
    if (judged) {
      removals.note(judged.missing)
      if (judged.problem !== undefined && judged.problem !== state.guardProblem) log.error({}, judged.problem)
      store.removalsJudged(judged.problem)
    }
    if (known.isHeldBack) return new Set()
    store.deferred(wait)
    const begun = submit(start, refresh, asked)
    logKept(start, log)
    return begun
  }

  function submit(start: readonly FacilityPlan[], { targets }: Refresh, asked?: AskedPass): ReadonlySet<string> {
    const work = makeWork(start, targets)
    for (const { plan, target } of work) store.laneBegins(plan.name, target?.facility.digest ?? '', asked)
    const begun = executor.submit(work)
    for (const { name } of start) if (!begun.has(name)) store.laneEnded(name)
    return begun
  }

  /** Records what these plans are about to write. Gives the names of those for which that failed. */
  function announce(plans: readonly FacilityPlan[], refresh: Refresh): Set<string> {
    if (plans.length === 0) return new Set()
    ground.save(announcePlans(state.record, plans, { instances: state.instances, refresh, owner }))
    const claims = { onDisk: keeping.written().claims, wanted: state.record.claims }
    const byName = new Map(refresh.targets.map(target => [target.facility.name, target]))
    const unwritten = plans.filter(plan => !mayWrite(plan, claims, byName.get(plan.name), log))
    return new Set(unwritten.map(({ name }) => name))
  }

  function knownNow({ facilities }: Plan, wasBusy: ReadonlySet<string>): Omit<Known, 'pruning'> {
    const heldUntil = new Map<string, number>()
    for (const { name } of facilities) {
      const until = retries.heldUntil(name, state.facilities.get(name)?.digest ?? '')
      if (until !== undefined) heldUntil.set(name, until)
    }
    const names = facilities.flatMap(({ name, renamedFrom = name }) => [name, renamedFrom])
    // The plan leaves out what is under way.
    const busy = new Set([...names, ...state.lanes.keys()].filter(executor.isBusy))
    const { encouraged, isHeldBack } = state
    const isReporting = configuration.mode === 'report'
    const [now, gate] = [clock.elapsed(), ground.gate?.()]
    return { now, busy, wasBusy, heldUntil, encouraged, isHeldBack, isReporting, unwritten: new Set(), gate }
  }

  function pruningOf({ snapshot }: Refresh, { readAt, isComplete }: PassBasis): Pruning {
    const { allowRemovals } = ground
    const { missingSince } = removals
    const command = spellCommand('apply', session)
    return {
      readAt,
      isComplete,
      missingSince,
      owned: countOwned(snapshot, owner),
      removalLimit,
      allowRemovals,
      command,
    }
  }

  return {
    execution,
    undoings,
    begin(plan, refresh, basis) {
      setGoing(plan, refresh, { ...knownNow(plan, basis.wasBusy), pruning: pruningOf(refresh, basis) })
    },
    beginAsked(plan, refresh, asked) {
      store.removalsJudged(undefined)
      const free = { heldUntil: new Map(), isHeldBack: false, pruning: 'agreed' } as const
      const begun = setGoing(plan, refresh, { ...knownNow(plan, new Set()), ...free }, asked)
      return new Map([...begun].map(name => [name, executor.settled(name)]))
    },
    abortOvertaken(suspended) {
      const digests = new Map([...state.lanes].map(([name, { digest }]) => [name, digest]))
      for (const name of findOvertaken(digests, state.facilities, suspended)) executor.abort(name)
    },
    giveUp() {
      const names = [...state.lanes.keys()]
      for (const name of names) executor.abort(name)
      return names
    },
    [Symbol.dispose]() {
      removals[Symbol.dispose]()
      execution[Symbol.dispose]()
    },
  }
}
