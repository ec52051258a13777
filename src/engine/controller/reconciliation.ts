import { basename } from 'node:path'
import type { ControlOutcome, HostControl } from '../../core/contracts/control.ts'
import type { EngineListener } from '../../core/contracts/engine-event.ts'
import type { SourceStatus } from '../../core/contracts/source-status.ts'
import type { Status } from '../../core/contracts/status.ts'
import type { Facility } from '../../core/model/facility.ts'
import type { RolloutGate } from '../../core/reconcile/rollout-turn.ts'
import { ReeveError } from '../../core/reeve-error.ts'
import { type Location, locationKey } from '../../core/state/snapshot.ts'
import { createControllerControl } from '../control/controller-control.ts'
import { notFound } from '../control/direct-control.ts'
import { modeOf } from '../control/report-mode.ts'
import { addLastOutput, type OutputGround } from '../execution/last-output.ts'
import { createBootCheck } from '../refresh/boot-start.ts'
import { listStartPaths } from '../refresh/start-problems.ts'
import type { Look } from '../rollout/look.ts'
import type { Session } from '../session/session.ts'
import { readRecord, type StateRecord } from '../session/state-files.ts'
import type { BoundInstance } from '../session/supervisor-instances.ts'
import { openSuspensions } from '../session/suspension.ts'
import { createBackoffTracker } from './backoff-tracker.ts'
import { createControllerPasses } from './controller-passes.ts'
import { openLanes } from './lanes.ts'
import { createObservation } from './observation.ts'
import { createPasses, type PassResult } from './pass.ts'
import type { Due, ReconcileQueue } from './reconcile-queue.ts'
import { createReconcileStore, hasWork } from './reconcile-store.ts'
import { createRestartWatch } from './restart-watch.ts'
import { openStateKeeping } from './state-keeping.ts'
import { type StatusGround, viewConditions, viewStatus } from './status-view.ts'

/**
 * The controller's one contract: `pass` compares all that is declared with the host as it is now, and begins the changes needed to
 * close the gap. It may be called at any time, for any reason or none, and as often as one likes: called when nothing is due, it
 * does nothing. It doesn't wait for what it begins: a later pass observes the result.
 */
export interface Reconciliation {
  pass(due: Due): Promise<PassResult>
  readonly control: HostControl
  /** What the pass has found, for the roll-out. */
  look(result: PassResult): Look
  /** Present instances; they change with the manifests. */
  instances(): ReadonlyMap<string, BoundInstance>
  facilities(): Iterable<Facility>
  /** Facilities that the host keeps from starting, with the paths whose change may help. */
  hindered(): Iterable<{ readonly name: string; readonly files: readonly { readonly path: string }[] }>
  /** Name of the facility at that service, for hints. */
  facilityAt(supervisor: string, service: string): string | undefined
  status(): Status
  /** Digest of a declared facility. */
  digestOf(facility: string): string | undefined
  /** Aborts all lanes, and resolves when none is left. */
  end(): Promise<void>
}

export interface ReconciliationOptions {
  readonly queue: ReconcileQueue
  readonly listener: EngineListener
  readonly allowRemovals: number
  /** Absent: the manifests come from a directory. */
  readonly source?: () => SourceStatus
  /** Which facilities may not begin now. Absent: all may. */
  readonly gate?: () => RolloutGate | undefined
  /** Drift of a facility was corrected. */
  drifted(): void
}

export function createReconciliation(session: Session, options: ReconciliationOptions): Reconciliation {
  const { clock, configuration, log, readHost } = session
  const { owner, stateDirectory } = configuration
  const { queue } = options
  const since = new Date(clock.now()).toISOString()
  const store = createReconcileStore(readRecord(stateDirectory, readHost))
  const { state } = store
  const retries = createBackoffTracker(clock, name =>
    state.facilities.has(name) ? queue.facility(name) : queue.manifests(),
  )
  const keeping = openStateKeeping({
    stateDirectory,
    record: state.record,
    host: session.openWriteHost(),
    clock,
    log,
    changed: () => queue.full(),
  })
  const restarts = createRestartWatch()
  const lanes = openLanes(session, { ...options, store, keeping, retries, restarts, save, changed: noteConditions })
  const { execution, undoings } = lanes
  const { executor, tracker } = execution
  const observation = createObservation(session, { state, execution, restarts })
  const suspensions = openSuspensions(session, execution.host, execution.history)
  const suspended = suspensions.marks
  const boot = createBootCheck(session)
  const isReporting = configuration.mode === 'report'
  const statusGround: StatusGround = { state, executor, tracker, retries, undoings, isReporting }
  const ending = new AbortController()
  const passes = createPasses(session, {
    store,
    lanes,
    observation,
    retries,
    restarts,
    suspensions,
    boot,
    ending: ending.signal,
    save,
    noteConditions,
  })
  let begin = (): void => {}
  const begun = new Promise<void>(resolve => {
    begin = resolve
  })

  function save(next: StateRecord): void {
    store.recorded(next)
    keeping.save(next)
  }

  function noteConditions(name: string): void {
    const facility = state.facilities.get(name)
    if (facility) store.conditionsSeen(name, viewConditions(facility, statusGround, clock.now()))
  }

  async function pass(due: Due): Promise<PassResult> {
    try {
      return await passes.pass(due)
    } finally {
      begin()
    }
  }

  function status(): Status {
    const unwritable = keeping.unwritable()
    const facts = { owner, suspended, unwritable, atBoot: boot.problem(), pid: process.pid, since }
    const source = options.source?.()
    return { ...modeOf(session), ...viewStatus(statusGround, facts, clock.now()), ...(source && { source }) }
  }

  function outputGround(): OutputGround {
    return { instances: state.instances, facility: name => state.facilities.get(name), host: readHost }
  }

  function ownedAt(name: string): Location | undefined {
    return state.seen?.snapshot.owned.find(({ ownership }) => ownership.owner === owner && ownership.facility === name)
  }

  function setSuspended(name: string, value: boolean, trigger: string): ControlOutcome {
    const { facilities, set } = state
    const at = facilities.get(name) ?? ownedAt(name)
    if (!at && !suspended.has(name)) throw notFound(name, session)
    const byManifest = set?.facilities.some(facility => facility.name === name && facility.suspend) ?? false
    const outcome = suspensions.change({ name, suspended: value, at, byManifest, trigger })
    if (set) passes.declare(set)
    noteConditions(name)
    // For an undeclared facility, the manifests decide whether it is removed now.
    queue.manifests()
    return outcome
  }

  function holdBack(): Disposable {
    store.heldBack()
    return {
      [Symbol.dispose]() {
        store.releasedAgain()
        queue.full()
      },
    }
  }

  const control = createControllerControl({
    executor,
    begun: () => begun,
    status,
    addLastOutput: statuses => addLastOutput(statuses, outputGround()),
    facility: name => state.facilities.get(name),
    ownedAt,
    look: observation.refreshSome,
    observeAgain: observation.observeAgain,
    setSuspended,
    notFound: name => notFound(name, session),
    passes: createControllerPasses({
      session,
      executor,
      tracker,
      ending: ending.signal,
      begun: () => begun,
      holdBack,
      outputGround,
      giveUp: lanes.giveUp,
      pass: passes.passAsked,
      isDeclared: name => state.facilities.has(name),
      wake: () => queue.manifests(),
    }),
  })

  return {
    pass,
    control,
    instances: () => state.instances,
    facilities: () => state.facilities.values(),
    hindered: () =>
      [...state.facilities.values()]
        .filter(({ name }) => state.plans.get(name)?.blocked !== undefined || state.hindered.has(name))
        .map(facility => ({ name: facility.name, files: listStartPaths(facility).map(path => ({ path })) })),
    facilityAt: (supervisor, service) => state.byLocation.get(locationKey({ supervisor, service })),
    status,
    look: ({ plan, set }) => ({
      plan,
      set,
      commit: basename(set.revision),
      facilities: status().facilities,
      hasWork: name => hasWork(state, name),
      hindered: state.hindered,
      unavailable: state.seen?.snapshot.unavailable ?? new Map(),
      applied: state.record.applied,
      removalProblem: state.guardProblem,
    }),
    digestOf: name => state.facilities.get(name)?.digest,
    async end() {
      ending.abort(new ReeveError('aborted', 'the controller has ended meanwhile; run it again to go on from here'))
      begin()
      executor.end()
      await executor.idle()
      lanes[Symbol.dispose]()
      keeping[Symbol.dispose]()
      retries[Symbol.dispose]()
    },
  }
}
