import type { Condition } from '../core/conditions.ts'
import type { Facility } from '../core/facility.ts'
import { makePlan } from '../core/planning.ts'
import { ReeveError } from '../core/reeve-error.ts'
import type { FacilityPlan, Plan } from '../core/step.ts'
import { locationKey } from '../core/world.ts'
import type { ManifestSet } from '../manifest/manifest-set.ts'
import { createManifestSource } from '../manifest/manifest-source.ts'
import { openActing } from './acting.ts'
import type { Control, ControlOptions, ControlOutcome, ControlVerb } from './control.ts'
import { changeMark, notFound } from './direct-control.ts'
import type { EngineListener } from './engine-event.ts'
import type { LaneResult } from './executor.ts'
import type { BoundInstance } from './instances.ts'
import { bindAll, markSuspended } from './outlook.ts'
import { amendRecord, nextRecord } from './record-keeping.ts'
import { admitRemovals, createRemovalWatch } from './removal-watch.ts'
import { describeDone, findUndoing, makeRequest } from './request.ts'
import { createRetryBook } from './retry-book.ts'
import type { Session } from './session.ts'
import { readRecord, readSuspended, type StateRecord, writeRecord, writeSuspended } from './state-files.ts'
import type { FacilityStatus, Status } from './status.ts'
import { findUndeclared, makeFacilityStatus } from './status-report.ts'
import { type Survey, surveyHost } from './survey.ts'
import { sha256 } from './targets.ts'
import type { Due, WakeUp } from './wake-up.ts'

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
  /** The facilities of that service, for hints. */
  facilityAt(supervisor: string, service: string): string | undefined
  status(): Status
  /** Gives up waiting, and resolves when nothing is under way any more. */
  end(): Promise<void>
}

export interface PassResult {
  readonly plan: Plan
  readonly set: ManifestSet
  readonly full: boolean
}

export interface ReconciliationOptions {
  readonly wake: WakeUp
  readonly listener: EngineListener
  readonly allowRemovals: number
  /** A facility had drifted and is as declared again. */
  drifted(): void
}

/** A restart of one that failed by itself counts as a try; it is forgotten when it has run so long, in milliseconds. */
const RUNS_WELL_AFTER = 10_000

export function createReconciliation(session: Session, options: ReconciliationOptions): Reconciliation {
  const { clock, configuration, log, readHost } = session
  const { owner, stateDirectory } = configuration
  const { wake } = options
  const source = createManifestSource(session.manifests)
  const started = new Date(clock.now()).toISOString()
  const suspended = readSuspended(stateDirectory, readHost)
  const retries = createRetryBook(clock, name => wake.facility(name))
  const removals = createRemovalWatch(clock, () => wake.full())
  /** Digests of what the lanes under way were made for; `''` for removals, none for what somebody asked for by hand. */
  const underWay = new Map<string, string>()
  const conditions = new Map<string, readonly Condition[]>()
  let record: StateRecord = readRecord(stateDirectory, readHost)
  let set: ManifestSet | undefined
  let facilities: ReadonlyMap<string, Facility> = new Map()
  let byLocation: ReadonlyMap<string, string> = new Map()
  let instances: ReadonlyMap<string, BoundInstance> = new Map()
  let plans = new Map<string, FacilityPlan>()
  let lastFull: Survey | undefined
  let lastPass: string | null = null
  let guardProblem: string | undefined

  const acting = openActing(session, {
    instances: () => instances,
    trigger: 'controller',
    bounded: false,
    listener: options.listener,
    settled: onSettled,
    changed: name => wake.facility(name),
  })
  const { executor, tracker } = acting

  function onSettled({ plan, target, result, error }: LaneResult): void {
    const digest = underWay.get(plan.name) ?? ''
    underWay.delete(plan.name)
    if (result === 'failed') {
      retries.failed(plan.name, digest, error?.message ?? 'it failed')
      log.warn(
        { facility: plan.name, error: error?.message },
        `${plan.name}: not as declared yet; it will be tried again`,
      )
    } else if (result === 'done' && plan.steps.some(step => step.reason === 'failed' || step.reason === 'unhealthy')) {
      const how = tracker.readiness(plan.name).message
      retries.failed(plan.name, digest, `it was started again, as it was ${how}`)
    } else if (result === 'done') {
      retries.succeeded(plan.name)
      if (plan.change === 'repair') options.drifted()
    }
    // What it left behind is seen by looking, whatever the lane said of itself. Moves and removals concern more than one.
    if (target && !plan.steps.some(step => step.target)) wake.facility(plan.name)
    else wake.full()
  }

  function readManifests(): ManifestSet {
    const next = source.read()
    const said = next.diagnostics.map(({ file, line, code, message }) => `${file}:${line}: ${message} (${code})`)
    const before = new Set(
      set?.diagnostics.map(({ file, line, code, message }) => `${file}:${line}: ${message} (${code})`),
    )
    for (const message of said) if (!before.has(message)) log.error({}, message)
    if (set && !set.complete && next.complete) log.info({}, 'all manifests are valid again')
    if (set?.revision !== next.revision)
      log.info(
        { revision: next.revision, facilities: next.facilities.length },
        `manifests read: ${next.facilities.length} facilities`,
      )
    set = next
    return next
  }

  function declare(current: ManifestSet): void {
    const marked = markSuspended(current.facilities, suspended)
    facilities = new Map(marked.map(facility => [facility.name, facility]))
    byLocation = new Map(marked.map(facility => [locationKey(facility), facility.name]))
    instances = bindAll(session, current, record)
    tracker.track(marked)
    // E6: what is under way for an older manifest is overtaken.
    for (const [name, digest] of underWay) {
      const now = facilities.get(name)
      if (!now || now.suspend || now.digest !== digest) {
        if (now || digest !== '') executor.abort(name)
      }
    }
  }

  async function pass(due: Due): Promise<PassResult> {
    const current = due.manifests || !set ? readManifests() : set
    const full = due.full || due.manifests || !lastFull
    declare(current)
    const free: Facility[] = []
    const untouched: Facility[] = []
    for (const facility of facilities.values()) {
      const isDue = full || due.facilities.has(facility.name)
      if (isDue && !executor.isBusy(facility.name)) free.push(facility)
      else untouched.push(facility)
    }
    const survey = await surveyHost({ instances, facilities: free, owner, host: readHost, full })
    // While the survey was under way, a request by hand may have set something going.
    const targets = survey.targets.filter(target => !executor.isBusy(target.facility.name))
    for (const { facility } of targets) {
      const observed = survey.world.services.get(locationKey(facility))
      if (observed) tracker.update(facility.name, observed)
      forgetTries(facility.name)
    }
    const plan = makePlan(
      {
        targets,
        untouched: [
          ...untouched,
          ...survey.targets.filter(target => !targets.includes(target)).map(target => target.facility),
        ],
        world: survey.world,
        owner,
        applied: record.applied,
        unhealthy: tracker.unhealthy(),
        prune: full && current.complete,
        diagnostics: current.diagnostics,
      },
      sha256,
    )
    submit(plan, targets, survey, full)
    remember(plan, survey, full, untouched)
    lastPass = new Date(clock.now()).toISOString()
    return { plan, set: current, full }
  }

  function submit(plan: Plan, targets: Survey['targets'], survey: Survey, full: boolean): void {
    const admitted = full ? admit(plan, survey) : plan.facilities
    const byName = new Map(targets.map(target => [target.facility.name, target]))
    const work = []
    for (const facility of admitted) {
      const target = facility.change === 'remove' ? undefined : byName.get(facility.name)
      const digest = target?.facility.digest ?? ''
      if (facility.steps.length === 0 || executor.isBusy(facility.name) || retries.isHeld(facility.name, digest))
        continue
      underWay.set(facility.name, digest)
      work.push({ plan: facility, ...(target ? { target } : {}) })
    }
    executor.submit(work)
  }

  /** Only a look at everything can tell that something is missing. */
  function admit(plan: Plan, survey: Survey): readonly FacilityPlan[] {
    const settings = { ...configuration, allowRemovals: options.allowRemovals }
    const { facilities: admitted, problem } = admitRemovals(plan, survey.world, removals, settings)
    if (problem !== undefined && problem !== guardProblem) log.error({}, problem)
    guardProblem = problem
    return admitted
  }

  function remember(plan: Plan, survey: Survey, full: boolean, untouched: readonly Facility[]): void {
    for (const facility of plan.facilities) plans.set(facility.name, facility)
    const before = record
    if (full) {
      lastFull = survey
      plans = new Map([...plans].filter(([name]) => facilities.has(name)))
      record = nextRecord({ record, instances, survey, plan, owner, untouched })
    } else {
      record = amendRecord(record, survey, plan)
    }
    writeRecord(stateDirectory, record, before, acting.host)
  }

  function forgetTries(name: string): void {
    const { ready } = tracker.readiness(name)
    const since = tracker.observed(name)?.since
    if (ready && (since === undefined || clock.now() - since >= RUNS_WELL_AFTER)) retries.succeeded(name)
  }

  function statusOf(facility: Facility): FacilityStatus {
    const { name } = facility
    const { count, message } = retries.failures(name)
    const activity = executor.activity(name)
    const blocked = plans.get(name)?.blocked
    const status = makeFacilityStatus(
      {
        name,
        supervisor: facility.supervisor,
        service: facility.service,
        observed: tracker.observed(name),
        health: tracker.health(name),
        readiness: tracker.readiness(name),
        suspended: facility.suspend,
        failures: count,
        ...(blocked === undefined ? {} : { blocked }),
        ...(activity === undefined ? {} : { underWay: activity }),
        ...(message === undefined ? {} : { lastError: message }),
      },
      conditions.get(name) ?? [],
      clock.now(),
    )
    conditions.set(name, status.conditions)
    return status
  }

  function status(): Status {
    const declared = [...facilities.values()].map(statusOf)
    const rest = lastFull ? findUndeclared(lastFull.world, owner, new Set(facilities.keys())) : []
    const all = [...declared, ...rest.map(facts => makeFacilityStatus(facts, [], clock.now()))]
    const problems = (set?.diagnostics ?? []).map(({ file, line, message }) => `${file}:${line}: ${message}`)
    if (guardProblem !== undefined) problems.push(guardProblem)
    for (const [name, reason] of lastFull?.world.unavailable ?? [])
      problems.push(`supervisor ${name} is unavailable: ${reason}`)
    return {
      facilities: all.sort((a, b) => (a.name < b.name ? -1 : 1)),
      controller: { pid: process.pid, since: started, lastPass, problems },
    }
  }

  async function act(verb: ControlVerb, name: string, wish: ControlOptions): Promise<ControlOutcome> {
    const facility = facilities.get(name)
    if (!facility) throw notFound(name, session)
    const undoing = wish.suspend ? undefined : findUndoing(verb, facility)
    if (undoing !== undefined) throw new ReeveError('refused', `${verb} ${name}: ${undoing}`)
    if (wish.suspend) setSuspended(name, true)
    if (executor.isBusy(name)) {
      executor.abort(name)
      await executor.settled(name)
    }
    const survey = await surveyHost({ instances, facilities: [facility], owner, host: readHost, full: false })
    const target = survey.targets[0]
    const request = makeRequest(verb, facility, survey.world.services.get(locationKey(facility)), target, wish)
    if ('outcome' in request) return request.outcome
    executor.submit([{ plan: request.plan }])
    const error = await executor.settled(name)
    if (error) throw error
    return describeDone(verb, name)
  }

  function setSuspended(name: string, value: boolean): ControlOutcome {
    if (value && !facilities.has(name)) throw notFound(name, session)
    const outcome = changeMark(suspended, name, value, names => writeSuspended(stateDirectory, names, acting.host))
    if (set) declare(set)
    wake.full()
    return outcome
  }

  const control: Control = {
    async status(name) {
      const all = status()
      if (name === undefined) return all
      const chosen = all.facilities.filter(facility => facility.name === name)
      if (chosen.length === 0) throw notFound(name, session)
      return { ...all, facilities: chosen }
    },
    act: (verb, name, wish) => act(verb, name, wish ?? {}),
    suspend: async name => setSuspended(name, true),
    resume: async name => setSuspended(name, false),
  }

  return {
    pass,
    control,
    instances: () => instances,
    facilityAt: (supervisor, service) => byLocation.get(locationKey({ supervisor, service })),
    status,
    async end() {
      executor.abortAll()
      await executor.idle()
      acting[Symbol.dispose]()
      retries[Symbol.dispose]()
      removals[Symbol.dispose]()
    },
  }
}
