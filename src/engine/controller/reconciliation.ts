import type { Control, ControlOutcome } from '../../core/contracts/control.ts'
import type { EngineListener } from '../../core/contracts/engine-event.ts'
import type { FacilityStatus, OtherPlace, Status } from '../../core/contracts/status.ts'
import type { Facility } from '../../core/model/facility.ts'
import type { ResolvedFacility } from '../../core/model/resolved-facility.ts'
import { observeClaims } from '../../core/plan/claim-keeping.ts'
import { findRenames } from '../../core/plan/plan-input.ts'
import { makePlan, makeRemovalPlan } from '../../core/plan/planning.ts'
import { countOwned } from '../../core/plan/removal-guard.ts'
import { describePending, type FacilityPlan, type Plan } from '../../core/plan/step.ts'
import { MOVE_RETRY, RETRY } from '../../core/reconcile/backoff.ts'
import type { Condition } from '../../core/reconcile/conditions.ts'
import { decide, findOvertaken, type Known, type Pruning, type RemovalJudgement } from '../../core/reconcile/decide.ts'
import { ReeveError } from '../../core/reeve-error.ts'
import { type Observed, unknownService } from '../../core/state/observed.ts'
import { type Location, locationKey } from '../../core/state/snapshot.ts'
import { findTroubles } from '../../core/state/trouble.ts'
import { reportUnwritable } from '../../core/state/unwritable.ts'
import { count } from '../../core/text/count-text.ts'
import { sha256 } from '../../host/sha256.ts'
import { diagnosticLine } from '../../manifest/diagnostic-text.ts'
import type { ManifestSet } from '../../manifest/manifest-set.ts'
import { createManifestSource } from '../../manifest/manifest-source.ts'
import { createControllerControl } from '../control/controller-control.ts'
import { notFound } from '../control/direct-control.ts'
import { createElsewhere, findUndeclared, makeFacilityStatus } from '../control/status-report.ts'
import { logKept, mayWrite } from '../execution/admission.ts'
import { openExecution } from '../execution/execution.ts'
import type { LaneResult } from '../execution/executor.ts'
import { addLastOutput, type OutputGround } from '../execution/last-output.ts'
import {
  amendRecord,
  announceInstances,
  announceWrites,
  nextRecord,
  noteDone,
  noteWritten,
} from '../execution/record-keeping.ts'
import { createTurns } from '../execution/turns.ts'
import { createBootCheck } from '../refresh/boot-start.ts'
import { markSuspended } from '../refresh/plan-run.ts'
import { createPolicyCheck } from '../refresh/policy-check.ts'
import { findUnwritable, type Refresh, refreshHost } from '../refresh/refresh.ts'
import { findOtherPlaces, mergeRefreshes, widenScope } from '../refresh/refresh-scope.ts'
import { listStartPaths } from '../refresh/start-problems.ts'
import { keepParsed, type Session } from '../session/session.ts'
import { spellCommand } from '../session/session-words.ts'
import { readRecord, type StateRecord } from '../session/state-files.ts'
import { type BoundInstance, bindAll } from '../session/supervisor-instances.ts'
import { openSuspensions } from '../session/suspension.ts'
import { findController } from '../session/writer-lock.ts'
import { createBackoffTracker } from './backoff-tracker.ts'
import { type AskedPass, type AskedResult, createControllerPasses, type PassView } from './controller-passes.ts'
import { createPruneDelay } from './prune-delay.ts'
import type { Due, ReconcileQueue } from './reconcile-queue.ts'
import { createRestartWatch, tellRestart } from './restart-watch.ts'
import { openStateKeeping } from './state-keeping.ts'
import { createUndoingGuard } from './undoing.ts'

/**
 * The controller's one contract: `pass` compares the whole of what is declared with what is there now, and sets going
 * what leads from one to the other. It may be called at any time, for any reason or none, and as often as one likes:
 * called when nothing is due, it does nothing. It doesn't wait for what it sets going: a later pass sees how it ended.
 */
export interface Reconciliation {
  pass(due: Due): Promise<PassResult>
  readonly control: Control
  /** Those that exist now; they change with the manifests. */
  instances(): ReadonlyMap<string, BoundInstance>
  facilities(): Iterable<Facility>
  /** Those that something of the host is in the way of, with the paths where it may be put right. */
  hindered(): Iterable<{ readonly name: string; readonly files: readonly { readonly path: string }[] }>
  /** The facilities of that service, for hints. */
  facilityAt(supervisor: string, service: string): string | undefined
  status(): Status
  /** Of what is declared. */
  digestOf(facility: string): string | undefined
  /** Gives up waiting, and resolves when nothing is under way any more. */
  end(): Promise<void>
}

export interface PassResult {
  readonly plan: Plan
  readonly set: ManifestSet
  readonly full: boolean
  /** All manifests are known, and by them there is nothing to do: nothing is planned, blocked, refused or held back. */
  readonly isSettled: boolean
}

export interface ReconciliationOptions {
  readonly wake: ReconcileQueue
  readonly listener: EngineListener
  readonly allowRemovals: number
  /** A facility had drifted and is as declared again. */
  drifted(): void
}

const nothingBegun: Pick<AskedResult, 'lanes' | 'underWay'> = { lanes: new Map(), underWay: [] }

export function createReconciliation(session: Session, options: ReconciliationOptions): Reconciliation {
  const { clock, configuration, log, readHost } = session
  const { owner, stateDirectory } = configuration
  const { wake } = options
  const source = createManifestSource(session.manifests)
  const started = new Date(clock.now()).toISOString()
  const retries = createBackoffTracker(clock, name => (facilities.has(name) ? wake.facility(name) : wake.manifests()))
  // By then the manifests have to be read again: it is their newest state that says what is gone.
  const removals = createPruneDelay(clock, () => wake.manifests())
  /** Digests of what the lanes under way were made for; `''` for removals, none for what somebody asked for by hand. */
  const underWay = new Map<string, string>()
  const conditions = new Map<string, readonly Condition[]>()
  let record: StateRecord = readRecord(stateDirectory, readHost)
  const keeping = openStateKeeping({
    stateDirectory,
    record,
    host: session.openWriteHost(),
    clock,
    log,
    changed: () => wake.full(),
  })
  let set: ManifestSet | undefined
  let facilities: ReadonlyMap<string, Facility> = new Map()
  let byLocation: ReadonlyMap<string, string> = new Map()
  let instances: ReadonlyMap<string, BoundInstance> = new Map()
  let plans = new Map<string, FacilityPlan>()
  /** The last full look, with what quick ones have seen since. */
  let seen: Refresh | undefined
  let lastPass: string | null = null
  let guardProblem: string | undefined
  /** No manifest declares them any more, and they haven't been removed yet: as of the last look at the manifests. */
  let leaving = new Set<string>()
  const boot = createBootCheck(session)
  const hanging = new Set<string>()
  /** Facilities that were certain not to start when they were looked at last. */
  const hindered = new Set<string>()
  /** Facilities of which what they failed for is gone, till that was tried. */
  const encouraged = new Set<string>()
  /** Those of them with a lane that tries it. */
  const retrying = new Set<string>()
  /** Some plans wait for others' lanes: see `findOvertaking`. */
  let hasDeferred = false
  /** Facilities with a lane that somebody asked for, with whom to tell of it. */
  const askedFor = new Map<string, AskedPass>()
  /** How many want no pass but theirs to begin anything now. */
  let holds = 0
  const inTurn = createTurns()
  const ending = new AbortController()
  let begin = (): void => {}
  const begun = new Promise<void>(resolve => {
    begin = resolve
  })

  const execution = openExecution(session, {
    instances: () => instances,
    claims: () => record.claims,
    wrote(path, digest) {
      record = noteWritten(record, path, digest)
    },
    trigger: 'controller',
    triggerOf: name => askedFor.get(name)?.trigger,
    history: keeping.history,
    bounded: false,
    listener(event) {
      undoings.noted(event)
      options.listener(event)
      askedFor.get(event.facility)?.listener(event)
    },
    settled: onSettled,
    changed: name => wake.facility(name),
  })
  const { executor, tracker } = execution
  const restarts = createRestartWatch()
  const undoings = createUndoingGuard({ clock, log, history: execution.history, retries })
  const suspensions = openSuspensions(session, execution.host, execution.history)
  const suspended = suspensions.marks

  function onSettled({ plan, target, result, error }: LaneResult): void {
    const { name } = plan
    const digest = underWay.get(name)
    underWay.delete(name)
    askedFor.delete(name)
    const wasRetried = retrying.delete(name)
    restarts.acted(name, clock.now())
    undoings.settled(name, plan.change === 'remove' ? '' : (target?.facility.digest ?? ''))
    if (result === 'failed' && digest !== undefined) {
      const isMove = plan.steps.some(step => step.reason === 'moved')
      retries.failed(name, digest, error?.message ?? 'it failed', isMove ? MOVE_RETRY : RETRY)
      log.warn({ facility: name, error: error?.message }, `${name}: not as declared yet; it will be tried again`)
    } else if (result === 'done' && digest !== undefined) {
      if (wasRetried) retries.forget(name)
      else retries.done(name, digest, plan.steps)
      // Written down by the pass that sees it.
      if (target && plan.blocked === undefined) record = noteDone(record, target)
      if (plan.change === 'repair') options.drifted()
      if (plan.change === 'remove') leaving.delete(name)
    }
    // What it left behind is seen by looking, whatever the lane said of itself. Moves and removals concern more than one.
    if (hasDeferred) wake.manifests()
    else if (target && facilities.has(name) && !plan.steps.some(step => step.target)) wake.facility(name)
    else wake.full()
  }

  function readManifests(): ManifestSet {
    const next = source.read()
    keepParsed(session)
    const before = new Set(set?.diagnostics.map(diagnosticLine))
    for (const message of next.diagnostics.map(diagnosticLine)) if (!before.has(message)) log.error({}, message)
    if (set && !set.complete && next.complete) log.info({}, 'all manifests are valid again')
    if (set?.revision !== next.revision)
      log.info(
        { revision: next.revision, facilities: next.facilities.length },
        `manifests read: ${count(next.facilities.length, 'facility', 'facilities')}`,
      )
    set = next
    return next
  }

  function declare(current: ManifestSet): void {
    suspensions.carryOver(findRenames(current.facilities))
    const marked = markSuspended(current.facilities, suspended)
    facilities = new Map(marked.map(facility => [facility.name, facility]))
    byLocation = new Map(marked.map(facility => [locationKey(facility), facility.name]))
    instances = bindAll(session, current, record)
    tracker.track(marked)
    undoings.declared(facilities)
    for (const name of conditions.keys()) if (!facilities.has(name)) conditions.delete(name)
    for (const name of hindered) if (!facilities.has(name)) hindered.delete(name)
    // E6: what is under way for an older manifest is overtaken.
    for (const name of findOvertaken(underWay, facilities, suspended)) executor.abort(name)
  }

  async function pass(due: Due): Promise<PassResult> {
    try {
      return await inTurn(() => makePass(due))
    } finally {
      begin()
    }
  }

  async function makePass(due: Due, asked?: AskedPass): Promise<PassResult & AskedResult> {
    const hasRead = due.manifests || !set
    const current = due.manifests || !set ? readManifests() : set
    const full = due.full || hasRead || !seen
    declare(current)
    const scope = full ? new Set(facilities.keys()) : widenScope(due.facilities, facilities, plans)
    const all = [...facilities.values()]
    const inScope = all.filter(({ name }) => scope.has(name))
    const free = inScope.filter(({ name }) => !executor.isBusy(name))
    // They may wait for long; nothing is planned for them, and what they are like is told all the same.
    const waiting = inScope.filter(({ name }) => executor.isBusy(name))
    const lookedAt = clock.now()
    const began = clock.elapsed()
    const busy = new Set(underWay.keys())
    const refresh = await look(free, full, waiting)
    await execution.keepRuns(free, refresh.snapshot)
    // While it was looked around, a request by hand may have set something going.
    const targets = refresh.targets.filter(({ facility }) => !executor.isBusy(facility.name))
    const looked = new Set(targets.map(({ facility }) => facility.name))
    record = { ...record, claims: observeClaims(record.claims, refresh.snapshot, targets, owner) }
    const untouched = all.filter(({ name }) => !looked.has(name))
    const unhealthy = note([...targets.map(({ facility }) => facility), ...waiting], refresh, lookedAt)
    for (const target of targets) noteHindrance(target)
    const made = makePlan(
      {
        targets,
        untouched,
        snapshot: refresh.snapshot,
        owner,
        applied: record.applied,
        claims: record.claims,
        // Who asks is shown what `reeve plan` shows; of a check that fails only the controller knows.
        ...(asked ? { startsWaiting: true } : { startsWaiting: encouraged, unhealthy }),
        // Also where nothing is removed in this pass: what comes up waits for what goes (E24).
        prune: current.complete,
        suspended,
        diagnostics: current.diagnostics,
        policy: configuration.policy,
      },
      sha256,
    )
    const troubles = asked ? findTroubles(targets, refresh.snapshot, clock.now()) : []
    const view = { plan: troubles.length > 0 ? { ...made, troubles } : made, refresh, set: current }
    const { plan } = view
    if (ending.signal.aborted) return { ...view, full, isSettled: false, ...nothingBegun }
    const isAdmitted = asked?.admit(view)
    if (hasRead) leaving = new Set(plan.facilities.flatMap(({ name }) => (facilities.has(name) ? [] : name)))
    for (const facility of plan.facilities) plans.set(facility.name, facility)
    for (const { facility } of targets) noteProgress(facility.name)
    undoings.looked(plan.facilities, { targets, snapshot: refresh.snapshot }, began)
    for (const name of looked) if (tracker.readiness(name).ready) encouraged.delete(name)
    let lanes: AskedResult['lanes'] = nothingBegun.lanes
    if (!asked) {
      const pruning = pruningOf(refresh, hasRead, current.complete)
      setGoing(plan, targets, refresh, { ...knownNow(plan, busy), pruning })
    }
    if (asked && isAdmitted) lanes = beginAsked(asked, plan, targets, refresh)
    remember(plan, refresh, full, untouched)
    if (full) boot.looked({ refresh, instances })
    lastPass = new Date(clock.now()).toISOString()
    return { ...view, full, isSettled: current.complete && isSettled(), lanes, underWay: plansUnderWay(lanes) }
  }

  function plansUnderWay(begun: ReadonlyMap<string, unknown>): FacilityPlan[] {
    return [...plans.values()].filter(({ name }) => executor.isBusy(name) && !begun.has(name))
  }

  function beginAsked(
    asked: AskedPass,
    plan: Plan,
    targets: Refresh['targets'],
    refresh: Refresh,
  ): AskedResult['lanes'] {
    guardProblem = undefined
    const known = knownNow(plan, new Set())
    for (const { name, steps } of plan.facilities) {
      if (steps.length > 0 && !known.busy.has(name)) askedFor.set(name, asked)
    }
    // What is held back otherwise is begun for who asks.
    const free = { heldUntil: new Map(), isHeldBack: false, pruning: 'agreed' } as const
    const begun = setGoing(plan, targets, refresh, { ...known, ...free })
    for (const { name } of plan.facilities) {
      if (!known.busy.has(name) && !begun.has(name)) askedFor.delete(name)
    }
    return new Map([...begun].map(name => [name, executor.settled(name)]))
  }

  /** What is asked to go, whoever declares it. */
  async function removeAsked(asked: AskedPass, names: readonly string[]): Promise<AskedResult> {
    const current = readManifests()
    declare(current)
    const refresh = await look([], true)
    const claims = observeClaims(record.claims, refresh.snapshot, [], owner)
    const chosen = names.length > 0 ? names : undefined
    const plan = makeRemovalPlan(chosen, { snapshot: refresh.snapshot, owner, claims }, sha256)
    const view: PassView = { plan, refresh, set: current }
    if (ending.signal.aborted || !asked.admit(view)) return { ...view, ...nothingBegun }
    record = { ...record, claims }
    suspensions.forget(plan.facilities.map(({ name }) => name))
    return { ...view, ...nothingBegun, lanes: beginAsked(asked, plan, [], refresh) }
  }

  function passAsked(asked: AskedPass): Promise<AskedResult> {
    const { removal } = asked
    const everything: Due = { manifests: true, full: true, facilities: new Set() }
    return inTurn(() => (removal ? removeAsked(asked, removal) : makePass(everything, asked)))
  }

  function isSettled(): boolean {
    if (guardProblem !== undefined || leaving.size > 0) return false
    for (const name of facilities.keys()) {
      const plan = plans.get(name)
      if (!plan || plan.steps.length > 0 || plan.blocked !== undefined) return false
    }
    return true
  }

  /** At everything, or at these facilities only, with all else as it was seen last. */
  async function look(free: readonly Facility[], full: boolean, also: readonly Location[] = []): Promise<Refresh> {
    const checkPolicy = createPolicyCheck(session)
    const controller = findController(session)
    const declared = [...facilities.values()]
    const base = {
      instances,
      facilities: free,
      declared,
      owner,
      host: readHost,
      clock,
      hanging,
      checkPolicy,
      controller,
    }
    if (full || !seen) return refreshHost({ ...base, full: true, also })
    const places = findOtherPlaces(free, seen.snapshot, record.applied)
    const known = seen.snapshot.services
    return mergeRefreshes(seen, await refreshHost({ ...base, full: false, known, also: [...places, ...also] }))
  }

  /** Gives those whose health check fails. */
  function note(looked: readonly Facility[], { snapshot }: Refresh, lookedAt: number): Set<string> {
    for (const facility of looked) {
      const reason = snapshot.unavailable.get(facility.supervisor)
      const observed = snapshot.services.get(locationKey(facility))
      if (observed) noteObserved(facility, observed, lookedAt)
      else if (reason !== undefined) tracker.update(facility.name, unknownService(facility.service, reason), lookedAt)
    }
    return tracker.unhealthy()
  }

  function noteObserved(facility: Facility, observed: Observed, lookedAt: number): void {
    const { name } = facility
    tracker.update(name, observed, lookedAt)
    if (executor.isBusy(name)) return
    const restart = restarts.seen(name, observed, lookedAt)
    if (restart) tellRestart(facility, restart, { clock, log, history: execution.history })
  }

  /** What is certain to fail no more is tried again at once, however often it failed. */
  function noteHindrance({ facility: { name }, problems, startProblems }: ResolvedFacility): void {
    if (startProblems) hindered.add(name)
    else if (problems.length === 0 && hindered.delete(name)) {
      retries.forget(name)
      encouraged.add(name)
    }
  }

  function noteProgress(name: string): void {
    const plan = plans.get(name)
    const hasNothingToDo = plan !== undefined && plan.steps.length === 0 && plan.blocked === undefined
    retries.seen(name, hasNothingToDo && tracker.readiness(name).ready)
  }

  /** Sets going what may begin now. Gives the facilities. */
  function setGoing(plan: Plan, targets: Refresh['targets'], refresh: Refresh, known: Known): ReadonlySet<string> {
    const byName = new Map(targets.map(target => [target.facility.name, target]))
    const intended = decide(plan, known)
    const unwritten = announce(intended.start, targets, refresh)
    const { start, wait, removals } = unwritten.size === 0 ? intended : decide(plan, { ...known, unwritten })
    if (removals) noteRemovals(removals)
    if (known.isHeldBack) return new Set()
    hasDeferred = wait.some(({ why }) => why === 'overtaking')
    const begun = executor.submit(
      start.map(facility => {
        const target = facility.change === 'remove' ? undefined : byName.get(facility.name)
        return { plan: facility, ...(target ? { target } : {}) }
      }),
    )
    for (const name of begun) {
      underWay.set(name, byName.get(name)?.facility.digest ?? '')
      if (encouraged.delete(name)) retrying.add(name)
    }
    logKept(start, log)
    return begun
  }

  function knownNow(plan: Plan, wasBusy: ReadonlySet<string>): Omit<Known, 'pruning'> {
    const heldUntil = new Map<string, number>()
    for (const { name } of plan.facilities) {
      const until = retries.heldUntil(name, facilities.get(name)?.digest ?? '')
      if (until !== undefined) heldUntil.set(name, until)
    }
    const names = plan.facilities.flatMap(({ name, renamedFrom = name }) => [name, renamedFrom])
    const busy = new Set(names.filter(name => executor.isBusy(name)))
    const now = clock.elapsed()
    return { now, busy, wasBusy, heldUntil, encouraged, isHeldBack: holds > 0, unwritten: new Set() }
  }

  function pruningOf({ snapshot }: Refresh, hasRead: boolean, isComplete: boolean): Pruning {
    const { allowRemovals } = options
    const { removalLimit } = configuration
    const { missingSince } = removals
    const owned = countOwned(snapshot, owner)
    const command = spellCommand('apply', session)
    return { hasRead, isComplete, missingSince, owned, removalLimit, allowRemovals, command }
  }

  /** Writes down what these are about to write. Gives those for which that could not be done. */
  function announce(plans: readonly FacilityPlan[], targets: Refresh['targets'], refresh: Refresh): Set<string> {
    if (plans.length === 0) return new Set()
    save(
      announceWrites(announceInstances(record, plans, instances), plans, { refresh: { ...refresh, targets }, owner }),
    )
    const claims = { onDisk: keeping.written().claims, wanted: record.claims }
    const byName = new Map(targets.map(target => [target.facility.name, target]))
    const unwritten = plans.filter(facility => !mayWrite(facility, claims, byName.get(facility.name), log))
    return new Set(unwritten.map(({ name }) => name))
  }

  function noteRemovals({ missing, problem }: RemovalJudgement): void {
    removals.note(missing)
    if (problem !== undefined && problem !== guardProblem) log.error({}, problem)
    guardProblem = problem
  }

  function remember(plan: Plan, refresh: Refresh, full: boolean, untouched: readonly Facility[]): void {
    seen = refresh
    if (full) {
      plans = new Map([...plans].filter(([name]) => facilities.has(name)))
      restarts.keep(new Set(facilities.keys()))
      retries.keep(
        new Set([...facilities.keys(), ...refresh.snapshot.owned.map(({ ownership }) => ownership.facility)]),
      )
      save(nextRecord({ record, instances, refresh, plan, owner, untouched }))
    } else {
      save(amendRecord(record, refresh, plan))
    }
  }

  function save(next: StateRecord): void {
    record = next
    keeping.save(next)
  }

  function statusOf(facility: Facility, elsewhere: readonly OtherPlace[]): FacilityStatus {
    const { name } = facility
    const { count: failures, message, isUndone } = retries.failures(name, facility.digest)
    const undone = undoings.undoneByOthers(name)
    const activity = executor.activity(name)
    const { blocked, withheld } = plans.get(name) ?? {}
    // Of others, what there is to do is under way, or waits for its next try.
    const pending = withheld && describePending({ steps: [], withheld })
    const status = makeFacilityStatus(
      {
        name,
        supervisor: facility.supervisor,
        service: facility.service,
        observed: tracker.observed(name),
        elsewhere,
        health: tracker.health(name),
        readiness: tracker.readiness(name),
        suspended: facility.suspend,
        failures,
        ...(blocked === undefined ? {} : { blocked }),
        ...(activity === undefined ? {} : { underWay: activity }),
        ...(pending === undefined ? {} : { pending }),
        ...(message === undefined ? {} : { lastError: message }),
        ...(isUndone && { isUndone }),
        ...(undone === undefined ? {} : { undone }),
      },
      conditions.get(name) ?? [],
      clock.now(),
    )
    conditions.set(name, status.conditions)
    return status
  }

  /** A supervisor that this host doesn't have, and nobody asks for, is no problem. */
  function namesOfWanted(): Set<string> {
    const used = [...facilities.values()].map(facility => facility.supervisor)
    return new Set([...used, ...(set?.supervisors ?? []).map(({ name }) => name), ...record.instances.keys()])
  }

  function status(): Status {
    const elsewhere = seen ? createElsewhere(seen.snapshot, owner) : () => []
    const declared = [...facilities.values()].map(facility => statusOf(facility, elsewhere(facility)))
    const rest = seen ? findUndeclared(seen.snapshot, owner, [...facilities.values()], suspended) : []
    const all = [...declared, ...rest.map(facts => makeFacilityStatus(facts, [], clock.now()))]
    const problems = (set?.diagnostics ?? []).map(diagnosticLine)
    if (guardProblem !== undefined) problems.push(guardProblem)
    const wanted = namesOfWanted()
    for (const [name, reason] of seen?.snapshot.unavailable ?? [])
      if (wanted.has(name)) problems.push(`supervisor ${name} is unavailable: ${reason}`)
    const unwritable = [...reportUnwritable(keeping.unwritable()), ...findUnwritable(seen?.availability ?? new Map())]
    const atBoot = boot.problem()
    return {
      facilities: all.sort((a, b) => (a.name < b.name ? -1 : 1)),
      ...(unwritable.length > 0 && { unwritable }),
      ...(atBoot !== undefined && { atBoot }),
      controller: { pid: process.pid, since: started, lastPass, problems },
    }
  }

  function outputGround(): OutputGround {
    return { instances, facility: name => facilities.get(name) }
  }

  function ownedAt(name: string): Location | undefined {
    return seen?.snapshot.owned.find(({ ownership }) => ownership.owner === owner && ownership.facility === name)
  }

  function setSuspended(name: string, value: boolean, trigger: string): ControlOutcome {
    const at = facilities.get(name) ?? ownedAt(name)
    if (!at && !suspended.has(name)) throw notFound(name, session)
    const byManifest = set?.facilities.some(facility => facility.name === name && facility.suspend) ?? false
    const outcome = suspensions.change({ name, suspended: value, at, byManifest, trigger })
    if (set) declare(set)
    // Of one that no manifest declares any more, they say whether it goes now.
    wake.manifests()
    return outcome
  }

  const control = createControllerControl({
    executor,
    begun: () => begun,
    status,
    addLastOutput: statuses => addLastOutput(statuses, outputGround()),
    facility: name => facilities.get(name),
    ownedAt,
    look: (free, also) => look(free, false, also),
    async observeAgain(facility) {
      const lookedAt = clock.now()
      const refresh = await look([facility], false)
      note([facility], refresh, lookedAt)
    },
    setSuspended,
    notFound: name => notFound(name, session),
    passes: createControllerPasses({
      session,
      executor,
      tracker,
      ending: ending.signal,
      begun: () => begun,
      holdBack() {
        holds += 1
        return {
          [Symbol.dispose]() {
            holds -= 1
            wake.full()
          },
        }
      },
      outputGround,
      giveUp() {
        const names = [...underWay.keys()]
        for (const name of names) executor.abort(name)
        return names
      },
      pass: passAsked,
      isDeclared: name => facilities.has(name),
      wake: () => wake.manifests(),
    }),
  })

  return {
    pass,
    control,
    instances: () => instances,
    facilities: () => facilities.values(),
    hindered: () =>
      [...facilities.values()]
        .filter(({ name }) => plans.get(name)?.blocked !== undefined || hindered.has(name))
        .map(facility => ({ name: facility.name, files: listStartPaths(facility).map(path => ({ path })) })),
    facilityAt: (supervisor, service) => byLocation.get(locationKey({ supervisor, service })),
    status,
    digestOf: name => facilities.get(name)?.digest,
    async end() {
      ending.abort(new ReeveError('aborted', 'the controller has ended meanwhile; run it again to go on from here'))
      begin()
      executor.end()
      await executor.idle()
      execution[Symbol.dispose]()
      keeping[Symbol.dispose]()
      retries[Symbol.dispose]()
      removals[Symbol.dispose]()
    },
  }
}
