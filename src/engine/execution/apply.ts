import type { ApplyOutcome } from '../../core/contracts/apply-outcome.ts'
import type { EngineListener } from '../../core/contracts/engine-event.ts'
import type { ResolvedFacility } from '../../core/model/resolved-facility.ts'
import { countOwned, findRemovalProblem } from '../../core/plan/removal-guard.ts'
import type { FacilityPlan, Plan } from '../../core/plan/step.ts'
import { messageOf, ReeveError } from '../../core/reeve-error.ts'
import type { FileClaims } from '../../core/state/file-claim.ts'
import { STARTING } from '../../core/state/readiness.ts'
import { locationKey } from '../../core/state/snapshot.ts'
import type { Trouble } from '../../core/state/trouble.ts'
import { compareText } from '../../core/text/text-order.ts'
import type { ManifestSet } from '../../manifest/manifest-set.ts'
import type { HealthTracker } from '../health/health-tracker.ts'
import { findBootProblem } from '../refresh/boot-start.ts'
import { findSuspended, makePlanRun, makeRemovalPlanRun, type PlanRun } from '../refresh/plan-run.ts'
import { keepParsed, type Session } from '../session/session.ts'
import { spellCommand } from '../session/session-words.ts'
import { readSuspended, writeRecord, writeSuspended } from '../session/state-files.ts'
import { expectWriterLockFree, takeWriterLock } from '../session/writer-lock.ts'
import { type Execution, type ExecutionOptions, openExecution } from './execution.ts'
import { findUndone, findUnready } from './final-look.ts'
import type { LaneResult } from './lane.ts'
import { outputGroundOf, tellLastOutput } from './last-output.ts'
import { announceInstances, announceWrites, nextRecord, noteDone, noteWritten } from './record-keeping.ts'
import { createUndoingWatch, describeUndoing, lookAt, type UndoingWatch } from './undoing-watch.ts'

export interface ApplyOptions {
  /** So many removals are meant. */
  readonly allowRemovals?: number
  /** A plan made before: it is carried out only if it is still the one that fits. */
  readonly saved?: Pick<Plan, 'digest'>
  readonly signal: AbortSignal
  readonly listener: EngineListener
  /** Which command this is, for the lock and the history. Default: `apply`, or `down`. */
  readonly command?: string
  /** Declared instead of what the manifests declare. */
  readonly set?: ManifestSet
}

/** A look at what `apply` would do. Writes nothing. Invalid manifests are in the plan's diagnostics. */
export async function makeCurrentPlan(session: Session): Promise<Plan> {
  return (await makePlanRun(session)).plan
}

/** What `takeDown` would do. Throws ReeveError `locked` where it couldn't, as somebody else is the writer. */
export async function makeDownPlan(session: Session, names: readonly string[], set?: ManifestSet): Promise<Plan> {
  expectWriterLockFree(session)
  return (await makeRemovalPlanRun(session, names, set)).plan
}

/**
 * One pass to convergence, waiting for health. Does what the plan says, step for step (E17). Fails with ReeveError
 * before the first step: `locked`, `invalid`, `refused` (too many removals), `stale-plan`.
 */
export async function applyOnce(session: Session, options: ApplyOptions): Promise<ApplyOutcome> {
  const { command = 'apply' } = options
  using _lock = await takeWriterLock(session, `reeve ${command}`)
  const planRun = await makePlanRun(session, options.set)
  const { plan } = planRun
  // An invalid file: apply changes nothing (E10). The caller shows the diagnostics.
  if (!planRun.set.complete) return { plan, failed: [], notReady: [], undone: [], stepsDone: 0, suspended: [] }
  expectMeant(planRun, session, options)
  const { stateDirectory } = session.configuration
  keepParsed(session)
  const { owner } = session.configuration
  const known = { ...planRun.record, claims: planRun.claims }
  const announced = announceWrites(announceInstances(known, plan.facilities, planRun.instances), plan.facilities, {
    refresh: planRun.refresh,
    owner,
  })
  writeRecord(stateDirectory, announced, planRun.record, session.openWriteHost())
  keepSuspended(session, planRun)
  let record = announced
  const outcome = await carryOut(session, planRun, command, {
    ...options,
    claims: () => record.claims,
    wrote(path, digest) {
      record = noteWritten(record, path, digest)
    },
    done(target) {
      record = noteDone(record, target)
    },
  })
  writeRecord(stateDirectory, record, announced, session.openWriteHost())
  // What a pass that neither did nor waited for anything saw is what is; else it takes another look.
  const isOver = outcome.stepsDone > 0 || outcome.failed.length > 0 || outcome.hasWaited
  const after = isOver ? await makePlanRun(session, planRun.set) : { ...planRun, record }
  const next = nextRecord({ ...after, owner })
  writeRecord(stateDirectory, next, after.record, session.openWriteHost())
  const { hasWaited: _, undoings, ...rest } = outcome
  const declared = after.refresh.targets.map(({ facility }) => facility)
  const atBoot = await findBootProblem(session, after, declared)
  const done = { ...rest, ...(atBoot !== undefined && { atBoot }) }
  // What was given up isn't undone.
  if (options.signal.aborted) return explainAll(withTroubles(done, after.plan.troubles ?? []), after)
  const judged = withCauses(judgeAfter(done, after), undoings, after)
  return tellLastOutput(judged, after.refresh, outputGroundOf(after))
}

/** The outcome by the look after it. `others`: plans of those that it could not look at. */
export function judgeAfter(
  outcome: ApplyOutcome,
  after: Pick<PlanRun, 'plan' | 'refresh' | 'lookedAt'>,
  others: readonly FacilityPlan[] = [],
): ApplyOutcome {
  // Of those that were ready, and are being started again, the look says more.
  const lasting = (after.plan.troubles ?? []).filter(({ reason }) => reason !== STARTING)
  const whole = withTroubles(outcome, lasting)
  const unready = findUnready(after, toldOf(whole))
  const notReady = sortByFacility([...whole.notReady, ...unready])
  const seen = [...after.plan.facilities, ...others]
  return explainAll({ ...whole, notReady, undone: findUndone(outcome.plan, seen, toldOf(whole)) }, after)
}

/** Throws ReeveError `stale-plan` or `refused` where the plan isn't what somebody means by asking for it. */
export function expectMeant(
  { plan, refresh }: Pick<PlanRun, 'plan' | 'refresh'>,
  session: Session,
  { saved, allowRemovals }: Pick<ApplyOptions, 'saved' | 'allowRemovals'>,
): void {
  if (saved && saved.digest !== plan.digest) {
    throw new ReeveError(
      'stale-plan',
      'the saved plan no longer fits: the manifests or the host have changed since it was made. Make a new one with reeve plan --out FILE',
    )
  }
  const { owner, removalLimit } = session.configuration
  const owned = countOwned(refresh.snapshot, owner)
  const problem = findRemovalProblem(plan, owned, removalLimit, spellCommand('apply', session), allowRemovals)
  if (problem !== undefined) throw new ReeveError('refused', problem)
}

/** Who undid what, by facility, in words. Of the first look, which nothing was done before, it only takes note. */
function findCauses(undoings: UndoingWatch, { plan, refresh, elapsedAt }: PlanRun): Map<string, string> {
  const undone = new Map<string, string>()
  const byName = new Map(plan.facilities.map(facility => [facility.name, facility]))
  for (const { facility } of refresh.targets) {
    const found = byName.get(facility.name)
    if (!found || found.blocked !== undefined || found.suspended) continue
    const look = lookAt(elapsedAt, refresh.snapshot.services.get(locationKey(facility)))
    const undoing = undoings.seen(facility.name, facility.digest, found.steps, look)
    if (undoing && !undoing.isAttempt) undone.set(facility.name, describeUndoing(undoing))
  }
  return undone
}

/** What was brought about a moment ago, and is undone again, isn't done (E21): it is told by whom, where that is known. */
function withCauses(outcome: ApplyOutcome, undoings: UndoingWatch, after: PlanRun): ApplyOutcome {
  const causes = findCauses(undoings, after)
  const explain = ({ facility, message }: ApplyOutcome['failed'][number]) => {
    const cause = causes.get(facility)
    return { facility, message: cause === undefined ? message : `${message}; ${cause}` }
  }
  const undone = outcome.undone.map(one => {
    const cause = causes.get(one.facility)
    return { ...one, ...(cause !== undefined && { cause }) }
  })
  return { ...outcome, failed: outcome.failed.map(explain), notReady: outcome.notReady.map(explain), undone }
}

/** What was ready for a moment, and is in a crash loop at the end, isn't ready. */
export function withTroubles(outcome: ApplyOutcome, troubles: readonly Trouble[]): ApplyOutcome {
  const told = toldOf(outcome)
  const more = troubles.flatMap(({ facility, message }) => (told.has(facility) ? [] : { facility, message }))
  return { ...outcome, notReady: sortByFacility([...outcome.notReady, ...more]) }
}

/** Those of which it is said that they aren't as declared. */
export function toldOf({ failed, notReady }: Pick<ApplyOutcome, 'failed' | 'notReady'>): Set<string> {
  return new Set([...failed, ...notReady].map(({ facility }) => facility))
}

/** With what of the host is in the way of those that did not get ready, where their supervisor doesn't say so. */
function explainAll(outcome: ApplyOutcome, { refresh }: Pick<PlanRun, 'refresh'>): ApplyOutcome {
  const hindrances = new Map(
    refresh.targets.map(({ facility }) => [
      facility.name,
      refresh.snapshot.services.get(locationKey(facility))?.hindrance,
    ]),
  )
  const notReady = outcome.notReady.map(({ facility, message }) => {
    const hindrance = hindrances.get(facility)
    const isTold = hindrance === undefined || message.includes(hindrance)
    return { facility, message: isTold ? message : `${message}; ${hindrance}` }
  })
  return { ...outcome, notReady }
}

function sortByFacility(found: ApplyOutcome['notReady']): ApplyOutcome['notReady'] {
  return found.toSorted((left, right) => compareText(left.facility, right.facility))
}

interface CarriedOut extends ApplyOutcome {
  /** Time has passed since the look that the plan was made from. */
  readonly hasWaited: boolean
  /** What was done, for the look after it. */
  readonly undoings: UndoingWatch
}

/** Stops and removes the named facilities, or all that is owned. Of what goes no suspension is left. */
export async function takeDown(
  session: Session,
  names: readonly string[],
  options: Pick<ApplyOptions, 'signal' | 'listener' | 'command' | 'set'>,
): Promise<ApplyOutcome> {
  const { command = 'down' } = options
  using _lock = await takeWriterLock(session, `reeve ${command}`)
  const planRun = await makeRemovalPlanRun(session, names, options.set)
  expectOwned(names, planRun.plan)
  dropMarks(session, planRun)
  const claims = (): FileClaims => planRun.claims
  const { hasWaited: _, undoings: __, ...outcome } = await carryOut(session, planRun, command, { ...options, claims })
  const after = await makeRemovalPlanRun(session, [], options.set)
  writeRecord(
    session.configuration.stateDirectory,
    nextRecord({ ...after, owner: session.configuration.owner }),
    after.record,
    session.openWriteHost(),
  )
  if (options.signal.aborted) return outcome
  const chosen = after.plan.facilities.filter(({ name }) => names.length === 0 || names.includes(name))
  return { ...outcome, undone: findUndone(planRun.plan, chosen, toldOf(outcome)) }
}

/** Throws ReeveError `not-found` for those that there is nothing of to remove. */
export function expectOwned(names: readonly string[], { facilities }: Pick<Plan, 'facilities'>): void {
  const missing = names.filter(name => !facilities.some(facility => facility.name === name))
  if (missing.length === 0) return
  throw new ReeveError(
    'not-found',
    `Reeve owns no facility ${missing.join(', ')} on this host; reeve status shows those that it does`,
  )
}

/** Facilities that have a new name stay suspended under it, whatever becomes of `renamedFrom`. */
function keepSuspended(session: Session, { suspended }: PlanRun): void {
  const { stateDirectory } = session.configuration
  const before = readSuspended(stateDirectory, session.readHost)
  if ([...suspended].every(name => before.has(name))) return
  writeSuspended(stateDirectory, suspended, session.openWriteHost())
}

/** Before the removal: after a crash between the two, nothing of what is gone would be found, and the mark would stay (E4). */
function dropMarks(session: Session, { plan, suspended }: PlanRun): void {
  const going = new Set(plan.facilities.flatMap(({ name, change }) => (change === 'remove' ? name : [])))
  const kept = new Set([...suspended].filter(name => !going.has(name)))
  if (kept.size === suspended.size) return
  writeSuspended(session.configuration.stateDirectory, kept, session.openWriteHost())
}

async function carryOut(
  session: Session,
  planRun: PlanRun,
  trigger: string,
  options: Pick<ApplyOptions, 'signal' | 'listener'> &
    Pick<ExecutionOptions, 'claims' | 'wrote'> & {
      /** All that was planned for it was done. */
      done?(target: ResolvedFacility): void
    },
): Promise<CarriedOut> {
  const { plan, refresh, instances } = planRun
  const results: LaneResult[] = []
  const undoings = createUndoingWatch(session.clock)
  findCauses(undoings, planRun)
  let stepsDone = 0
  using execution = openExecution(session, {
    instances: () => instances,
    claims: options.claims,
    ...(options.wrote && { wrote: options.wrote }),
    trigger,
    bounded: true,
    listener(event) {
      undoings.noted(event)
      if (event.type === 'step-finished' && event.result === 'done') stepsDone += 1
      options.listener(event)
    },
    settled(result) {
      results.push(result)
      undoings.settled(result.plan.name, result.target?.facility.digest ?? '')
      const { plan, target } = result
      if (result.result === 'done' && target && plan.blocked === undefined) options.done?.(target)
    },
  })
  const declared = refresh.targets.map(target => target.facility)
  await execution.keepRuns(declared, refresh.snapshot)
  const onAbort = (): void => execution.executor.end()
  options.signal.addEventListener('abort', onAbort, { once: true })
  const targets = new Map(refresh.targets.map(target => [target.facility.name, target]))
  execution.tracker.track(declared)
  const settled = findSettled(planRun, execution)
  execution.executor.submit(
    plan.facilities.map(facility => {
      const target = facility.change === 'remove' ? undefined : targets.get(facility.name)
      return { plan: facility, ...(target ? { target } : {}) }
    }),
  )
  if (options.signal.aborted) onAbort()
  await execution.executor.idle()
  options.signal.removeEventListener('abort', onAbort)
  const failed = results
    .filter(result => result.result !== 'done')
    .map(({ plan: { name }, error }) => ({ facility: name, message: error ? messageOf(error) : 'given up' }))
  const failedNames = new Set(failed.map(({ facility }) => facility))
  const expected = findExpected(planRun, failedNames).filter(({ name }) => !settled.has(name))
  const notReady = options.signal.aborted ? [] : await awaitReadiness(expected, execution.tracker, options)
  const hasWaited = expected.length > 0
  return { plan, failed, notReady, undone: [], stepsDone, suspended: findSuspended(planRun), hasWaited, undoings }
}

/** Those that nobody is going to touch, and that were seen to be ready just now. */
function findSettled({ plan, refresh, lookedAt }: PlanRun, { tracker }: Execution): Set<string> {
  const settled = new Set<string>()
  for (const facility of plan.facilities) {
    const observed = refresh.snapshot.services.get(locationKey(facility))
    if (!observed || facility.steps.length > 0) continue
    tracker.update(facility.name, observed, lookedAt)
    if (tracker.readiness(facility.name).ready) settled.add(facility.name)
  }
  return settled
}

/** Those that have to be ready in the end: all but what goes, is left alone, is blocked, or has failed. */
export function findExpected(
  { plan, refresh }: Pick<PlanRun, 'plan' | 'refresh'>,
  failed: ReadonlySet<string>,
): FacilityPlan[] {
  const kept = new Set(refresh.targets.flatMap(({ facility }) => (facility.suspend ? [] : facility.name)))
  return plan.facilities.filter(({ name, blocked }) => kept.has(name) && blocked === undefined && !failed.has(name))
}

export async function awaitReadiness(
  expected: readonly FacilityPlan[],
  tracker: HealthTracker,
  { listener, signal }: Pick<ApplyOptions, 'signal' | 'listener'>,
): Promise<ApplyOutcome['notReady']> {
  const notReady: { facility: string; message: string }[] = []
  await Promise.all(
    expected.map(async ({ name }) => {
      try {
        if (!tracker.readiness(name).ready)
          listener({ type: 'waiting', facility: name, until: `${name} to become ready` })
        await tracker.whenReady(name, signal, { bounded: true })
        listener({ type: 'ready', facility: name })
      } catch (error) {
        const message = messageOf(error)
        notReady.push({ facility: name, message })
        listener({ type: 'not-ready', facility: name, message })
      }
    }),
  )
  return sortByFacility(notReady)
}
