import pLimit from 'p-limit'
import type { EngineEvent } from '../../core/contracts/engine-event.ts'
import type { RevisionReport, SourceStatus } from '../../core/contracts/source-status.ts'
import { rulesFor } from '../../core/model/rollout.ts'
import type { Plan } from '../../core/plan/step.ts'
import type { RolloutGate } from '../../core/reconcile/rollout-turn.ts'
import { ReeveError } from '../../core/reeve-error.ts'
import type { Admission, GitSource } from '../../source/git-source.ts'
import type { Former } from '../../source/recovery.ts'
import type { Revision } from '../../source/source-state.ts'
import type { Session } from '../session/session.ts'
import { findChanged } from './changed-facilities.ts'
import { findChosen } from './chosen-revision.ts'
import { beginProgress, type Judgement, judge, type Progress } from './judgement.ts'
import { type Look, standingsOf } from './look.ts'
import { createRevisionReader, type DeclaredRevision, findError } from './revision-reading.ts'
import {
  begin,
  conclude,
  currentOf,
  findBase,
  findNeeded,
  findRefusal,
  goOn,
  isBusy,
  isGoingBack,
  isUnderWay,
  isUnfinished,
  type RevisionRecord,
  recover,
  update,
} from './revision-record.ts'
import { findGate } from './rollout-gate.ts'
import { reportRevisions, reportRollout } from './rollout-report.ts'
import { openRolloutStore } from './rollout-store.ts'
import { createStall } from './stall.ts'
import { createWayBack, shorten } from './way-back.ts'

/** The roll-out of revisions on this host: which one comes into force, what becomes of it, and the way back (E22). */
export interface Rollout {
  /** Its revisions come into force by the roll-out. */
  readonly source: GitSource
  status(): SourceStatus
  /** Judges the revision in force by what was found, and acts on it. Resolves when it has. */
  judge(look: Look): Promise<void>
  /** Something is under way, also back. */
  isBusy(): boolean
  /** Judging may change something: besides, what has failed and stays may still become healthy. */
  isOpen(): boolean
  /** Changed facilities that are not known to be healthy. */
  waiting(): readonly string[]
  gate(): RolloutGate | undefined
  noted(event: EngineEvent): void
  /** It has been stalled for `progressDeadline`: nobody is to wait for it any more. */
  isStuck(): boolean
  /** Resolves once nothing is under way, or it is stuck. */
  settled(signal: AbortSignal): Promise<void>
  /** Puts a revision into force and keeps it there. Absent: the newest healthy one before. Throws ReeveError `not-found`. */
  pin(revision?: string): Promise<RevisionReport>
  /** Lets the newest revision come into force at the next sync. `retries`: also one that has failed here. */
  goOn(options: { readonly retries: boolean }): void
}

export interface RolloutOptions {
  /** Opens the source with this admission. */
  readonly open: (admission: Admission) => GitSource
  /** True: a controller has begun, which counts as a start of what it carries out. */
  readonly isController: boolean
  /** Another revision is in force. */
  readonly changed: () => void
  /** A revision has got another outcome. */
  readonly told?: (record: RevisionRecord) => void
  /** It is to be judged again, at this time of `Clock.elapsed`. */
  readonly again: (at: number) => void
  readonly signal: AbortSignal
}

/** A controller that ends more often while it carries out one revision is most likely broken by it. */
const mostStarts = 3

/** How long (ms) until a repository that could not be reached is asked again. */
const reachPause = 2_000

export function openRollout(session: Session, options: RolloutOptions): Rollout {
  const { clock, configuration, log } = session
  const { rollout: rules, stateDirectory } = configuration
  const { changed, signal } = options
  /** Nothing is changed on the host, so that nothing can be judged. */
  const isReporting = configuration.mode === 'report'
  const inTurn = pLimit(1)
  const store = openRolloutStore(stateDirectory, session.openWriteHost(), record => options.told?.(record))
  /** Refusals of revisions whose manifests are not valid, by commit. */
  const invalid = new Map<string, string>()
  let progress: Progress = beginProgress(clock.elapsed())
  let last: Pick<Judgement, 'verdict' | 'message'> | undefined
  const stall = createStall(clock, rules.progressDeadline)
  const unreachable = createStall(clock, rules.healthyDeadline)
  const source = options.open({ admit, kept: () => findNeeded(store.state()), recovered })
  const reader = createRevisionReader(session, commit => source.directoryOf(commit))
  const read = reader.declared
  const wayBack = createWayBack({ session, store, source: () => source, read, restart, changed, signal })
  let isResumed = false
  let resumed = resume()
  resumed.catch(() => {}) // The first judgement tries it again, and tells why it can't be done.

  function now(): string {
    return new Date(clock.now()).toISOString()
  }

  function restart(): void {
    progress = beginProgress(clock.elapsed())
    last = undefined
    unreachable.note(false)
    stall.note(false)
  }

  function admit(revision: Revision): string | undefined {
    const { commit } = revision
    const refusal = invalid.get(commit) ?? findRefusal(store.state(), revision)
    if (refusal !== undefined) return refusal
    const set = reader.read(commit)
    const error = findError(set, session)
    const inForce = source.revision()
    const isWrong = error !== undefined && inForce && !isReporting && rules.onFailure !== 'continue'
    const message = `its manifests are not valid: ${error}`
    // What never comes into force must not end the judgement of what is there.
    if (isWrong && isUnfinished(store.state(), source.revision()?.commit)) return message
    comesNext(revision, set)
    if (!isWrong) return undefined
    invalid.set(commit, message)
    store.save(conclude(store.state(), commit, 'Failed', { at: now(), message }))
    log.error({ commit }, `revision ${shorten(commit)} failed: ${message}; ${shorten(inForce.commit)} stays in force`)
    return message
  }

  function recovered(former: Former): void {
    const { commit } = former.inForce
    store.save(recover(store.state(), former, now()))
    log.warn({ commit }, `the state of this host was lost; by its definitions, ${shorten(commit)} was in force`)
  }

  function comesNext(revision: Revision, set: DeclaredRevision): void {
    const inForce = source.revision()
    const base = inForce?.commit === revision.commit ? undefined : inForce && findBase(store.state(), inForce.commit)
    const before = base === undefined ? undefined : reader.declared(base)
    const origin = before && base !== undefined ? { base } : {}
    store.save(begin(store.state(), { revision, changed: findChanged(before, set), at: now(), ...origin }))
    restart()
  }

  /** Goes on where a crash, or the end of the last controller, has interrupted it. */
  async function resume(): Promise<void> {
    adoptRevision()
    await goOnWith(currentOf(store.state()))
    isResumed = true
  }

  /** What a full disk, say, has kept from being resumed. */
  function expectResumed(): Promise<void> {
    return resumed.catch(() => {
      resumed = resume()
      return resumed
    })
  }

  async function goOnWith(record: RevisionRecord | undefined): Promise<void> {
    if (isReporting) return
    if (record && isGoingBack(record)) return wayBack.goBack(record)
    if (!record || !options.isController || !isUnderWay(record)) return
    const starts = record.starts + 1
    store.save(update(store.state(), record.revision.commit, one => ({ ...one, starts })))
    if (starts <= mostStarts) return
    await wayBack.fail(record, `${mostStarts} controllers ended while they carried it out`)
  }

  /** A revision that came into force without a roll-out, or whose record was lost, is judged like a first one. */
  function adoptRevision(): void {
    const revision = source.revision()
    const isKnown = store.state().revisions.some(record => record.revision.commit === revision?.commit)
    const set = revision && !isKnown ? reader.declared(revision.commit) : undefined
    if (revision && set) comesNext(revision, set)
  }

  async function judgeOnce(look: Look): Promise<void> {
    await expectResumed()
    const record = currentOf(store.state())
    if (!record) return
    const inForce = source.revision()?.commit
    if (isGoingBack(record)) {
      if (inForce !== record.backTo) return wayBack.goBack(record)
      return look.commit === record.backTo ? judgeWayBack(record, look) : undefined
    }
    if (isUnderWay(record) && inForce !== record.revision.commit) {
      // A crash or a full disk has kept it from coming into force.
      await source.enforce(record.revision, signal, () => isStill(record))
      return changed()
    }
    // What failed and stays may still become healthy.
    const hasFailed = record.outcome === 'Failed'
    if (look.commit !== record.revision.commit || !(isUnderWay(record) || hasFailed)) return
    if (record.outcome === 'Pending') advance(record, look.plan)
    const { verdict, message = '' } = evaluate(record, look)
    if (verdict === 'failed') {
      // What stays has its whole time again.
      restart()
      return hasFailed ? undefined : wayBack.fail(record, message)
    }
    if (verdict !== 'healthy' || !(await isReachable(record))) return
    if (!isStill(record)) return
    const { commit, subject } = record.revision
    store.save(conclude(store.state(), commit, 'Healthy', { at: now() }))
    log.info({ commit }, `revision ${shorten(commit)} is healthy: ${subject}`)
  }

  /** No other revision has come meanwhile. */
  function isStill({ revision }: RevisionRecord): boolean {
    return currentOf(store.state())?.revision.commit === revision.commit
  }

  function judgeWayBack(record: RevisionRecord, look: Look): void {
    const { verdict, message = '' } = evaluate(record, look)
    if (verdict === 'healthy') wayBack.arrived(record)
    if (verdict === 'failed') wayBack.freeze(record, `${shorten(look.commit)} did not become healthy again: ${message}`)
  }

  function advance({ revision }: RevisionRecord, { summary: { add, change, repair, remove } }: Plan): void {
    const plan = { add, change, repair, remove }
    store.save(update(store.state(), revision.commit, record => ({ ...record, outcome: 'Progressing', plan })))
  }

  function evaluate(record: RevisionRecord, look: Look): Judgement {
    const declared = new Map(look.set.facilities.map(facility => [facility.name, facility]))
    const found = judge(progress, {
      standings: standingsOf(record, look, declared),
      rulesOf: name => rulesFor(rules, declared.get(name)?.rollout),
      progressDeadline: rules.progressDeadline,
      now: clock.elapsed(),
    })
    progress = found.progress
    const error = findError(look.set, session)
    const judgement: Judgement = error === undefined ? found : { progress, verdict: 'failed', message: error }
    last = judgement
    const next = Math.min(...[judgement.next, stall.note(judgement.verdict === 'stalled')].flatMap(at => at ?? []))
    if (stall.isStuck()) store.wake()
    if (Number.isFinite(next)) options.again(next)
    return judgement
  }

  /** A revision that cuts the host off from its repository can't be mended by another one. */
  async function isReachable(record: RevisionRecord): Promise<boolean> {
    const problem = rules.keepReachable ? await source.findUnreachable(signal) : undefined
    if (problem === undefined || !isStill(record)) return true
    unreachable.note(true)
    const message = `this host can't reach its repository any more: ${problem}`
    last = { verdict: 'progressing', message }
    if (unreachable.isStuck() && isUnderWay(record)) await wayBack.fail(record, message)
    else options.again(clock.elapsed() + reachPause)
    return false
  }

  async function pin(wanted: string | undefined): Promise<RevisionReport> {
    const inForce = source.revision()?.commit
    const { revision } = findChosen(store.state(), wanted, inForce)
    const keepThere = (): void => store.save({ ...store.state(), pinned: revision.commit })
    if (inForce === revision.commit) keepThere()
    else {
      // Nothing is written down of one that can't come into force.
      await source.enforce(revision, signal, () => {
        keepThere()
        comesNext(revision, reader.read(revision.commit))
        return true
      })
      changed()
    }
    const report = reportRevisions(store.state(), revision.commit).find(({ commit }) => commit === revision.commit)
    if (report) return report
    throw new ReeveError('internal', `nothing is known of ${revision.commit}`)
  }

  return {
    source,
    status: () => ({ ...source.status(), ...reportRollout(store.state(), last) }),
    judge: look => inTurn(() => judgeOnce(look)),
    isBusy: () => !isReporting && isBusy(store.state()),
    isOpen: () => !isReporting && (!isResumed || isUnfinished(store.state(), source.revision()?.commit)),
    waiting: () => [...progress.facilities].flatMap(([name, { isHealthy }]) => (isHealthy ? [] : name)),
    isStuck: stall.isStuck,
    gate: () => findGate(store.state(), progress, rules),
    noted: store.noted,
    async settled(until) {
      if (!isReporting) await store.settled(until, stall.isStuck)
    },
    pin: wanted => inTurn(() => pin(wanted)),
    goOn(ways) {
      invalid.clear()
      store.save(goOn(store.state(), ways))
    },
  }
}
