import type { Facility } from '../../core/model/facility.ts'
import { observeClaims } from '../../core/plan/claim-keeping.ts'
import { findRenames } from '../../core/plan/plan-input.ts'
import { makePlan, makeRemovalPlan } from '../../core/plan/planning.ts'
import type { Plan } from '../../core/plan/step.ts'
import { findTroubles } from '../../core/state/trouble.ts'
import { count } from '../../core/text/count-text.ts'
import { sha256 } from '../../host/sha256.ts'
import { diagnosticLine } from '../../manifest/diagnostics/diagnostic-text.ts'
import type { ManifestSet } from '../../manifest/manifest-set.ts'
import { createManifestSource } from '../../manifest/manifest-source.ts'
import { amendRecord, nextRecord } from '../execution/record-keeping.ts'
import { createTurns } from '../execution/turns.ts'
import type { BootCheck } from '../refresh/boot-start.ts'
import { markSuspended } from '../refresh/plan-run.ts'
import type { Refresh } from '../refresh/refresh.ts'
import { widenScope } from '../refresh/refresh-scope.ts'
import { keepParsed, type Session } from '../session/session.ts'
import type { StateRecord } from '../session/state-files.ts'
import { bindAll } from '../session/supervisor-instances.ts'
import type { Suspensions } from '../session/suspension.ts'
import type { BackoffTracker } from './backoff-tracker.ts'
import type { AskedPass, AskedResult, PassView } from './controller-passes.ts'
import type { Lanes } from './lanes.ts'
import type { Observation } from './observation.ts'
import type { Due } from './reconcile-queue.ts'
import { hasNothingToDo, isSettled, type ReconcileStore } from './reconcile-store.ts'
import type { RestartWatch } from './restart-watch.ts'

export interface PassResult {
  readonly plan: Plan
  readonly set: ManifestSet
  readonly full: boolean
  /** All manifests are known, and by them there is nothing to do: nothing is planned, under way, blocked, refused or held back. */
  readonly isSettled: boolean
}

/** From manifests and host to lanes: read, look, plan, begin, remember. One after another. */
export interface Passes {
  pass(due: Due): Promise<PassResult>
  /** At everything, for who asks for it. */
  passAsked(asked: AskedPass): Promise<AskedResult>
  /** As `set` and what people have suspended say; what that overtakes is aborted. */
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
  /** Aborted when the controller ends: nothing begins from then on. */
  readonly ending: AbortSignal
  save(record: StateRecord): void
  noteConditions(facility: string): void
}

const nothingBegun: Pick<AskedResult, 'lanes' | 'underWay'> = { lanes: new Map(), underWay: [] }

export function createPasses(session: Session, ground: PassesGround): Passes {
  const { clock, configuration, log } = session
  const { owner } = configuration
  const { ending, lanes, observation, restarts, retries, store } = ground
  const { state } = store
  const { execution, undoings } = lanes
  const { executor, tracker } = execution
  const suspended = ground.suspensions.marks
  const source = createManifestSource(session.manifests)
  const inTurn = createTurns()

  function readManifests(): ManifestSet {
    const before = state.set
    const next = source.read()
    keepParsed(session)
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
    const hasRead = due.manifests || !state.set
    const current = due.manifests || !state.set ? readManifests() : state.set
    const full = due.full || hasRead || !state.seen
    declare(current)
    const all = [...state.facilities.values()]
    const scope = full ? undefined : widenScope(due.facilities, state.facilities, state.plans)
    const inScope = scope ? all.filter(({ name }) => scope.has(name)) : all
    const free = inScope.filter(({ name }) => !executor.isBusy(name))
    // They may wait for long; nothing is planned for them, and what they are like is told all the same.
    const waiting = inScope.filter(({ name }) => executor.isBusy(name))
    const lookedAt = clock.now()
    const began = clock.elapsed()
    const wasBusy = new Set(state.lanes.keys())
    const refresh = await observation.look(free, full, waiting)
    await execution.keepRuns(free, refresh.snapshot)
    // While it was looked around, a request by hand may have set something going.
    const targets = refresh.targets.filter(({ facility }) => !executor.isBusy(facility.name))
    const looked = new Set(targets.map(({ facility }) => facility.name))
    const untouched = all.filter(({ name }) => !looked.has(name))
    store.recorded({ ...state.record, claims: observeClaims(state.record.claims, refresh.snapshot, targets, owner) })
    observation.note([...targets.map(({ facility }) => facility), ...waiting], refresh, lookedAt)
    for (const target of targets) if (store.hindranceSeen(target)) retries.forget(target.facility.name)
    const view = { plan: planFor({ ...refresh, targets }, untouched, current, asked), refresh, set: current }
    const { plan } = view
    if (ending.aborted) return { ...view, full, isSettled: false, ...nothingBegun }
    const isAdmitted = asked?.admit(view)
    store.planned(plan, hasRead)
    for (const name of looked) noteProgress(name)
    undoings.looked(plan.facilities, { targets, snapshot: refresh.snapshot }, began)
    for (const name of looked) if (tracker.readiness(name).ready) store.ready(name)
    const work = { ...refresh, targets }
    if (!asked) lanes.begin(plan, work, { hasRead, isComplete: current.complete, wasBusy })
    const asIsAsked = asked && isAdmitted ? lanes.beginAsked(plan, work, asked) : nothingBegun.lanes
    remember(plan, refresh, full, untouched)
    for (const name of state.facilities.keys()) ground.noteConditions(name)
    const underWay = [...state.plans.values()].filter(({ name }) => executor.isBusy(name) && !asIsAsked.has(name))
    const settled = isSettled(state)
    ground.boot.looked({ refresh, instances: state.instances }, all, { full, settled })
    return { ...view, full, isSettled: settled, lanes: asIsAsked, underWay }
  }

  function planFor(refresh: Refresh, untouched: readonly Facility[], current: ManifestSet, asked?: AskedPass): Plan {
    const { snapshot, targets } = refresh
    const { applied, claims } = state.record
    const plan = makePlan(
      {
        targets,
        untouched,
        snapshot,
        owner,
        applied,
        claims,
        // Who asks is shown what `reeve plan` shows; of a check that fails only the controller knows.
        ...(asked ? { startsWaiting: true } : { startsWaiting: state.encouraged, unhealthy: tracker.unhealthy() }),
        // Also where nothing is removed in this pass: what comes up waits for what goes (E24).
        prune: current.complete,
        suspended,
        diagnostics: current.diagnostics,
        policy: configuration.policy,
      },
      sha256,
    )
    const troubles = asked ? findTroubles(targets, snapshot, clock.now()) : []
    return troubles.length > 0 ? { ...plan, troubles } : plan
  }

  function noteProgress(name: string): void {
    retries.seen(name, hasNothingToDo(state.plans.get(name)) && tracker.readiness(name).ready)
  }

  /** What is asked to go, whoever declares it. */
  async function removeAsked(asked: AskedPass, names: readonly string[]): Promise<AskedResult> {
    const current = readManifests()
    declare(current)
    const refresh = await observation.look([], true)
    const claims = observeClaims(state.record.claims, refresh.snapshot, [], owner)
    const chosen = names.length > 0 ? names : undefined
    const plan = makeRemovalPlan(chosen, { snapshot: refresh.snapshot, owner, claims }, sha256)
    const view: PassView = { plan, refresh, set: current }
    if (ending.aborted || !asked.admit(view)) return { ...view, ...nothingBegun }
    store.recorded({ ...state.record, claims })
    ground.suspensions.forget(plan.facilities.map(({ name }) => name))
    return { ...view, ...nothingBegun, lanes: lanes.beginAsked(plan, { ...refresh, targets: [] }, asked) }
  }

  function remember(plan: Plan, refresh: Refresh, full: boolean, untouched: readonly Facility[]): void {
    store.looked(refresh, full, new Date(clock.now()).toISOString())
    const { facilities, instances, record } = state
    if (full) {
      restarts.keep(new Set(facilities.keys()))
      retries.keep(
        new Set([...facilities.keys(), ...refresh.snapshot.owned.map(({ ownership }) => ownership.facility)]),
      )
      ground.save(nextRecord({ record, instances, refresh, plan, owner, untouched }))
    } else {
      ground.save(amendRecord(record, refresh, plan))
    }
  }

  return {
    pass: due => inTurn(() => makePass(due)),
    passAsked(asked) {
      const { removal } = asked
      const everything: Due = { manifests: true, full: true, facilities: new Set() }
      return inTurn(() => (removal ? removeAsked(asked, removal) : makePass(everything, asked)))
    },
    declare,
  }
}
