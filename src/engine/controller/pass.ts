import pLimit from 'p-limit'
import { findRenames } from '../../core/plan/plan-input.ts'
import type { Plan } from '../../core/plan/step.ts'
import { count } from '../../core/text/count-text.ts'
import { diagnosticLine } from '../../manifest/diagnostics/diagnostic-text.ts'
import type { ManifestSet } from '../../manifest/manifest-set.ts'
import { createManifestSource } from '../../manifest/manifest-source.ts'
import { nextRecord } from '../execution/record-keeping.ts'
import type { BootCheck } from '../refresh/boot-start.ts'
import { markSuspended, type Purpose, planFor, SHOWN } from '../refresh/plan-run.ts'
import type { Refresh } from '../refresh/refresh.ts'
import { type Session, saveParseCache } from '../session/session.ts'
import type { StateRecord } from '../session/state-files.ts'
import { bindAll } from '../session/supervisor-instances.ts'
import type { Suspensions } from '../session/suspension.ts'
import type { BackoffTracker } from './backoff-tracker.ts'
import type { AskedPass, AskedResult, PassView } from './controller-passes.ts'
import type { Lanes } from './lanes.ts'
import type { Observation, PassRefresh } from './observation.ts'
import type { Due } from './reconcile-queue.ts'
import { hasNothingToDo, isSettled, type ReconcileStore } from './reconcile-store.ts'
import type { RestartWatch } from './restart-watch.ts'

export interface PassResult {
  readonly plan: Plan
  readonly set: ManifestSet
  /** All manifests are known, and nothing is planned, under way, blocked, refused or held back. */
  readonly isSettled: boolean
}

/** Passes lead from manifests and host to lanes: read, observe, plan, begin, remember. One after another. */
export interface Passes {
  pass(due: Due): Promise<PassResult>
  /** Makes a full pass for a client. */
  passAsked(asked: AskedPass): Promise<AskedResult>
  /** Takes over the manifests and suspensions, and aborts the lanes that they supersede. */
  declare(set: ManifestSet): void
}

export interface PassesGround {
  readonly store: ReconcileStore
  readonly lanes: Lanes
  readonly observation: Observation
  readonly retries: BackoffTracker
  readonly restarts: RestartWatch
  readonly suspensions: Suspensions
  readonly boot: BootCheck
  /** Aborted when the controller ends: no lane begins from then on. */
  readonly ending: AbortSignal
  save(record: StateRecord): void
  noteConditions(facility: string): void
}

const everything: Due = { manifests: true, full: true, facilities: new Set() }

const nothingBegun: Pick<AskedResult, 'lanes' | 'underWay' | 'later'> = {
  lanes: new Map(),
  underWay: [],
  later: new Set(),
}

export function createPasses(session: Session, ground: PassesGround): Passes {
  const { clock, log } = session
  const { mode, owner } = session.configuration
  const { ending, lanes, observation, restarts, retries, store } = ground
  const { state } = store
  const { execution, undoings } = lanes
  const { executor, tracker } = execution
  const suspended = ground.suspensions.marks
  const source = createManifestSource(session.manifests)
  const inTurn = pLimit(1)

  function readManifests(): ManifestSet {
    const before = state.set
    const next = source.read()
    saveParseCache(session)
    tellManifests(next, before)
    store.manifestsRead(next)
    return next
  }

  function tellManifests(next: ManifestSet, before: ManifestSet | undefined): void {
    const told = new Set(before?.diagnostics.map(diagnosticLine))
    for (const message of next.diagnostics.map(diagnosticLine)) if (!told.has(message)) log.error({}, message)
    if (before && !before.complete && next.complete) log.info({}, 'all manifests are valid again')
    if (before?.revision === next.revision) return
    const { revision, facilities } = next
    log.info(
      { revision, facilities: facilities.length },
      `manifests read: ${count(facilities.length, 'facility', 'facilities')}`,
    )
  }

  function declare(current: ManifestSet): void {
    ground.suspensions.carryOver(findRenames(current.facilities))
    const marked = markSuspended(current.facilities, suspended)
    store.declared(marked, bindAll(session, current, state.record))
    tracker.track(marked)
    undoings.declared(state.facilities)
    lanes.abortOvertaken(suspended)
  }

  async function makePass(due: Due, asked?: AskedPass): Promise<PassResult & AskedResult> {
    const readAt = due.manifests || !state.set ? clock.elapsed() : undefined
    const set = due.manifests || !state.set ? readManifests() : state.set
    declare(set)
    const found = await observation.refresh(due)
    const { refresh, busy } = found
    for (const target of found.fresh) if (store.hindranceSeen(target)) retries.forget(target.facility.name)
    // Only the controller knows of failing health checks.
    const own = { isShown: false, startsWaiting: state.encouraged, unhealthy: tracker.unhealthy() }
    const plan = planWith(set, refresh, { ...(asked ? SHOWN : own), busy })
    const view: PassView = { plan, refresh, set }
    if (ending.aborted) return { ...view, isSettled: false, ...nothingBegun }
    const isAdmitted = asked?.admit(view)
    store.planned(plan, readAt !== undefined)
    noteProgress(plan, found)
    if (!asked) lanes.begin(plan, refresh, { readAt, isComplete: set.complete, wasBusy: found.wasBusy })
    const begun = asked && isAdmitted ? lanes.beginAsked(plan, refresh, asked) : nothingBegun.lanes
    remember(plan, found)
    const underWay = [...state.plans.values()].filter(({ name }) => executor.isBusy(name) && !begun.has(name))
    const settled = isSettled(state)
    ground.boot.refreshed({ refresh, instances: state.instances }, state.facilities.values(), settled)
    return { ...view, isSettled: settled, lanes: begun, underWay, later: state.outOfTurn }
  }

  /** Removes the facilities, whether they are declared or not. */
  async function removeAsked(asked: AskedPass, removal: readonly string[]): Promise<AskedResult> {
    const set = readManifests()
    declare(set)
    const refresh = { ...(await observation.refresh(everything)).refresh, targets: [] }
    const plan = planWith(set, refresh, { removal })
    const view: PassView = { plan, refresh, set }
    if (ending.aborted || !asked.admit(view)) return { ...view, ...nothingBegun }
    ground.suspensions.forget(plan.facilities.map(({ name }) => name))
    return { ...view, ...nothingBegun, lanes: lanes.beginAsked(plan, refresh, asked) }
  }

  function planWith(set: ManifestSet, refresh: Refresh, purpose: Purpose): Plan {
    const { plan, claims } = planFor(session, { set, record: state.record, suspended }, refresh, purpose)
    store.recorded({ ...state.record, claims })
    return plan
  }

  function noteProgress(plan: Plan, { refresh: { snapshot }, fresh, began }: PassRefresh): void {
    const ready = new Set(fresh.map(({ facility }) => facility.name).filter(name => tracker.readiness(name).ready))
    for (const { facility } of fresh) {
      const { name } = facility
      retries.seen(name, hasNothingToDo(state.plans.get(name)) && ready.has(name))
    }
    // In report mode nothing of Reeve's can be undone.
    if (mode === 'reconcile') undoings.looked(plan.facilities, { targets: fresh, snapshot }, began)
    for (const name of ready) store.ready(name)
  }

  function remember(plan: Plan, { refresh, busy }: PassRefresh): void {
    store.refreshed(refresh, new Date(clock.now()).toISOString())
    const { facilities, instances, record } = state
    restarts.keep(new Set(facilities.keys()))
    retries.keep(new Set([...facilities.keys(), ...refresh.snapshot.owned.map(({ ownership }) => ownership.facility)]))
    ground.save(nextRecord({ record, instances, refresh, plan, owner, busy }))
    for (const name of facilities.keys()) ground.noteConditions(name)
  }

  return {
    pass: due => inTurn(() => makePass(due)),
    passAsked(asked) {
      const { removal } = asked
      return inTurn(() => (removal ? removeAsked(asked, removal) : makePass(everything, asked)))
    },
    declare,
  }
}
