import { MOVE_RETRY, RETRY } from '../core/backoff.ts'
import { observeClaims } from '../core/claim-keeping.ts'
import type { Condition } from '../core/conditions.ts'
import { count } from '../core/count-text.ts'
import type { Facility } from '../core/facility.ts'
import { type Observed, unknownService } from '../core/observed.ts'
import { findRenames } from '../core/plan-input.ts'
import { makePlan } from '../core/planning.ts'
import { messageOf } from '../core/reeve-error.ts'
import { describePending, type FacilityPlan, type Plan } from '../core/step.ts'
import { type Location, locationKey } from '../core/world.ts'
import { diagnosticLine } from '../manifest/diagnostic-text.ts'
import type { ManifestSet } from '../manifest/manifest-set.ts'
import { createManifestSource } from '../manifest/manifest-source.ts'
import { openActing } from './acting.ts'
import type { Control, ControlOutcome } from './control.ts'
import { createControllerControl } from './controller-control.ts'
import { notFound } from './direct-control.ts'
import type { EngineListener } from './engine-event.ts'
import type { LaneResult } from './executor.ts'
import { type BoundInstance, bindAll } from './instances.ts'
import { markSuspended } from './outlook.ts'
import { createPolicyCheck } from './policy-check.ts'
import { amendRecord, announceInstances, announceWrites, nextRecord, noteDone, noteWritten } from './record-keeping.ts'
import { admitRemovals, createRemovalWatch } from './removal-watch.ts'
import { createRestartWatch, tellRestart } from './restart-watch.ts'
import { createRetryBook } from './retry-book.ts'
import { keepParsed, type Session } from './session.ts'
import { readRecord, type StateRecord, writeRecord } from './state-files.ts'
import type { FacilityStatus, OtherPlace, Status } from './status.ts'
import { createElsewhere, findUndeclared, makeFacilityStatus } from './status-report.ts'
import { logKept, mayWrite, withoutOvertaking } from './submission.ts'
import { type Survey, surveyHost } from './survey.ts'
import { findOtherPlaces, mergeSurveys, widenScope } from './survey-scope.ts'
import { openSuspensions } from './suspension.ts'
import { sha256 } from './targets.ts'
import type { Due, WakeUp } from './wake-up.ts'
import { findController } from './writer-lock.ts'

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
  readonly wake: WakeUp
  readonly listener: EngineListener
  readonly allowRemovals: number
  /** A facility had drifted and is as declared again. */
  drifted(): void
}

export function createReconciliation(session: Session, options: ReconciliationOptions): Reconciliation {
  const { clock, configuration, log, readHost } = session
  const { owner, stateDirectory } = configuration
  const { wake } = options
  const source = createManifestSource(session.manifests)
  const started = new Date(clock.now()).toISOString()
  const retries = createRetryBook(clock, name => (facilities.has(name) ? wake.facility(name) : wake.manifests()))
  // By then the manifests have to be read again: it is their newest state that says what is gone.
  const removals = createRemovalWatch(clock, () => wake.manifests())
  /** Digests of what the lanes under way were made for; `''` for removals, none for what somebody asked for by hand. */
  const underWay = new Map<string, string>()
  const conditions = new Map<string, readonly Condition[]>()
  let record: StateRecord = readRecord(stateDirectory, readHost)
  /** What of it is on disk. */
  let written = record
  let set: ManifestSet | undefined
  let facilities: ReadonlyMap<string, Facility> = new Map()
  let byLocation: ReadonlyMap<string, string> = new Map()
  let instances: ReadonlyMap<string, BoundInstance> = new Map()
  let plans = new Map<string, FacilityPlan>()
  /** The last full look, with what quick ones have seen since. */
  let seen: Survey | undefined
  let lastPass: string | null = null
  let guardProblem: string | undefined
  /** No manifest declares them any more, and they haven't been removed yet: as of the last look at the manifests. */
  let leaving = new Set<string>()
  const hanging = new Set<string>()
  /** Some plans wait for others' lanes: see `withoutOvertaking`. */
  let hasDeferred = false
  let ended = false
  let begin = (): void => {}
  const begun = new Promise<void>(resolve => {
    begin = resolve
  })

  const acting = openActing(session, {
    instances: () => instances,
    claims: () => record.claims,
    wrote(path, digest) {
      record = noteWritten(record, path, digest)
    },
    trigger: 'controller',
    bounded: false,
    listener: options.listener,
    settled: onSettled,
    changed: name => wake.facility(name),
  })
  const { executor, tracker } = acting
  const restarts = createRestartWatch()
  const suspensions = openSuspensions(session, acting.host, acting.history)
  const suspended = suspensions.marks

  function onSettled({ plan, target, result, error }: LaneResult): void {
    const { name } = plan
    const digest = underWay.get(name)
    underWay.delete(name)
    restarts.acted(name, clock.now())
    if (result === 'failed' && digest !== undefined) {
      const isMove = plan.steps.some(step => step.reason === 'moved')
      retries.failed(name, digest, error?.message ?? 'it failed', isMove ? MOVE_RETRY : RETRY)
      log.warn({ facility: name, error: error?.message }, `${name}: not as declared yet; it will be tried again`)
    } else if (result === 'done' && digest !== undefined) {
      retries.done(name, digest, plan.steps)
      // Written down by the pass that sees it.
      if (target) record = noteDone(record, target.facility)
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
    for (const name of conditions.keys()) if (!facilities.has(name)) conditions.delete(name)
    // E6: what is under way for an older manifest is overtaken.
    for (const [name, digest] of underWay) {
      const now = facilities.get(name)
      const isOvertaken = now ? now.suspend || now.digest !== digest : digest !== '' || suspended.has(name)
      if (isOvertaken) executor.abort(name)
    }
  }

  async function pass(due: Due): Promise<PassResult> {
    try {
      return await makePass(due)
    } finally {
      begin()
    }
  }

  async function makePass(due: Due): Promise<PassResult> {
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
    const busy = new Set(underWay.keys())
    const survey = await look(free, full, waiting)
    // While it was looked around, a request by hand may have set something going.
    const targets = survey.targets.filter(({ facility }) => !executor.isBusy(facility.name))
    const looked = new Set(targets.map(({ facility }) => facility.name))
    record = { ...record, claims: observeClaims(record.claims, survey.world, targets, owner) }
    const untouched = all.filter(({ name }) => !looked.has(name))
    const plan = makePlan(
      {
        targets,
        untouched,
        world: survey.world,
        owner,
        applied: record.applied,
        claims: record.claims,
        unhealthy: note([...targets.map(({ facility }) => facility), ...waiting], survey, lookedAt),
        // Also where nothing is removed in this pass: what comes up waits for what goes (E24).
        prune: current.complete,
        suspended,
        diagnostics: current.diagnostics,
        policy: configuration.policy,
      },
      sha256,
    )
    if (ended) return { plan, set: current, full, isSettled: false }
    if (hasRead) leaving = new Set(plan.facilities.flatMap(({ name }) => (facilities.has(name) ? [] : name)))
    for (const facility of plan.facilities) plans.set(facility.name, facility)
    for (const { facility } of targets) noteProgress(facility.name)
    submit(plan, targets, survey, hasRead, busy)
    remember(plan, survey, full, untouched)
    lastPass = new Date(clock.now()).toISOString()
    return { plan, set: current, full, isSettled: current.complete && isSettled() }
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
  async function look(free: readonly Facility[], full: boolean, also: readonly Location[] = []): Promise<Survey> {
    const checkPolicy = createPolicyCheck(session)
    const controller = findController(session)
    const base = { instances, facilities: free, owner, host: readHost, clock, hanging, checkPolicy, controller }
    if (full || !seen) return surveyHost({ ...base, full: true, also })
    const places = findOtherPlaces(free, seen.world, record.applied)
    return mergeSurveys(seen, await surveyHost({ ...base, full: false, also: [...places, ...also] }))
  }

  /** Gives those whose health check fails. */
  function note(looked: readonly Facility[], { world }: Survey, lookedAt: number): Set<string> {
    for (const facility of looked) {
      const reason = world.unavailable.get(facility.supervisor)
      const observed = world.services.get(locationKey(facility))
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
    if (restart) tellRestart(facility, restart, { clock, log, history: acting.history })
  }

  function noteProgress(name: string): void {
    const plan = plans.get(name)
    const hasNothingToDo = plan !== undefined && plan.steps.length === 0 && plan.blocked === undefined
    retries.seen(name, hasNothingToDo && tracker.readiness(name).ready)
  }

  function submit(
    plan: Plan,
    targets: Survey['targets'],
    survey: Survey,
    hasRead: boolean,
    wasBusy: ReadonlySet<string>,
  ): void {
    const byName = new Map(targets.map(target => [target.facility.name, target]))
    const digestOf = (name: string): string => byName.get(name)?.facility.digest ?? ''
    // Only a manifest that is missing now, in a look at everything, is gone.
    const admitted = hasRead ? admit(plan, survey) : plan.facilities.filter(({ change }) => change !== 'remove')
    // A removal that was under way may have ended since it was looked: it must not be made twice.
    const isFree = ({ name, renamedFrom = name, change }: FacilityPlan): boolean =>
      !executor.isBusy(name) && !executor.isBusy(renamedFrom) && !(change === 'remove' && wasBusy.has(name))
    const ready = admitted.filter(
      facility =>
        facility.steps.length > 0 && isFree(facility) && !retries.isHeld(facility.name, digestOf(facility.name)),
    )
    if (ready.length > 0) {
      save(
        announceWrites(announceInstances(record, ready, instances), ready, { survey: { ...survey, targets }, owner }),
      )
    }
    const claims = { onDisk: written.claims, wanted: record.claims }
    const announced = ready.filter(facility => mayWrite(facility, claims, byName.get(facility.name), log))
    const { begin: work, deferred } = withoutOvertaking(announced, plan.facilities)
    hasDeferred = deferred.length > 0
    if (work.length === 0) return
    const begun = executor.submit(
      work.map(facility => {
        const target = facility.change === 'remove' ? undefined : byName.get(facility.name)
        return { plan: facility, ...(target ? { target } : {}) }
      }),
    )
    for (const name of begun) underWay.set(name, digestOf(name))
    logKept(work, log)
  }

  function admit(plan: Plan, survey: Survey): readonly FacilityPlan[] {
    const settings = { ...configuration, allowRemovals: options.allowRemovals }
    const { facilities: admitted, problem } = admitRemovals(plan, survey.world, removals, settings)
    if (problem !== undefined && problem !== guardProblem) log.error({}, problem)
    guardProblem = problem
    return admitted
  }

  function remember(plan: Plan, survey: Survey, full: boolean, untouched: readonly Facility[]): void {
    seen = survey
    if (full) {
      plans = new Map([...plans].filter(([name]) => facilities.has(name)))
      restarts.keep(new Set(facilities.keys()))
      retries.keep(new Set([...facilities.keys(), ...survey.world.owned.map(({ ownership }) => ownership.facility)]))
      save(nextRecord({ record, instances, survey, plan, owner, untouched }))
    } else {
      save(amendRecord(record, survey, plan))
    }
  }

  /** A full disk must not keep services from being repaired: what couldn't be written is tried again at the next pass. */
  function save(next: StateRecord): void {
    record = next
    try {
      writeRecord(stateDirectory, record, written, acting.host)
      written = record
    } catch (error) {
      log.warn({ error: messageOf(error) }, 'what was applied could not be written down')
    }
  }

  function statusOf(facility: Facility, elsewhere: readonly OtherPlace[]): FacilityStatus {
    const { name } = facility
    const { count: failures, message } = retries.failures(name, facility.digest)
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
    const elsewhere = seen ? createElsewhere(seen.world, owner) : () => []
    const declared = [...facilities.values()].map(facility => statusOf(facility, elsewhere(facility)))
    const rest = seen ? findUndeclared(seen.world, owner, [...facilities.values()], suspended) : []
    const all = [...declared, ...rest.map(facts => makeFacilityStatus(facts, [], clock.now()))]
    const problems = (set?.diagnostics ?? []).map(diagnosticLine)
    if (guardProblem !== undefined) problems.push(guardProblem)
    const wanted = namesOfWanted()
    for (const [name, reason] of seen?.world.unavailable ?? [])
      if (wanted.has(name)) problems.push(`supervisor ${name} is unavailable: ${reason}`)
    return {
      facilities: all.sort((a, b) => (a.name < b.name ? -1 : 1)),
      controller: { pid: process.pid, since: started, lastPass, problems },
    }
  }

  function ownedAt(name: string): Location | undefined {
    return seen?.world.owned.find(({ ownership }) => ownership.owner === owner && ownership.facility === name)
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
    facility: name => facilities.get(name),
    ownedAt,
    look: (free, also) => look(free, false, also),
    async refresh(facility) {
      const lookedAt = clock.now()
      const survey = await look([facility], false)
      note([facility], survey, lookedAt)
    },
    setSuspended,
    notFound: name => notFound(name, session),
  })

  return {
    pass,
    control,
    instances: () => instances,
    facilities: () => facilities.values(),
    facilityAt: (supervisor, service) => byLocation.get(locationKey({ supervisor, service })),
    status,
    digestOf: name => facilities.get(name)?.digest,
    async end() {
      ended = true
      begin()
      executor.end()
      await executor.idle()
      acting[Symbol.dispose]()
      retries[Symbol.dispose]()
      removals[Symbol.dispose]()
    },
  }
}
