import pLimit from 'p-limit'
import type { EngineEvent } from '../../core/contracts/engine-event.ts'
import type { RevisionReport, RolloutStatus, SourceStatus } from '../../core/contracts/source-status.ts'
import type { FacilityStatus } from '../../core/contracts/status.ts'
import { rulesFor } from '../../core/model/rollout.ts'
import type { Plan } from '../../core/plan/step.ts'
import type { RolloutGate } from '../../core/reconcile/rollout-turn.ts'
import { ReeveError } from '../../core/reeve-error.ts'
import type { ManifestSet } from '../../manifest/manifest-set.ts'
import type { Admission, GitSource } from '../../source/git-source.ts'
import type { Revision } from '../../source/source-state.ts'
import type { Session } from '../session/session.ts'
import { findChanged } from './changed-facilities.ts'
import { beginProgress, type Judgement, judge, type Progress } from './judgement.ts'
import { findError, readRevision } from './revision-reading.ts'
import {
  begin,
  conclude,
  currentOf,
  findBase,
  findNeeded,
  findRefusal,
  findWayBack,
  goOn,
  isBusy,
  isGoingBack,
  isUnderWay,
  type RevisionRecord,
  update,
} from './revision-record.ts'
import { findGate } from './rollout-gate.ts'
import { reportRevisions, reportRollout } from './rollout-report.ts'
import { openRolloutStore } from './rollout-store.ts'
import { type Standing, standingOf } from './standing.ts'
import { createWayBack, shorten } from './way-back.ts'

/** What a pass, or a look without a controller, has found. */
export interface Look {
  readonly set: ManifestSet
  /** Commit of these manifests. */
  readonly commit: string
  readonly plan: Plan
  readonly facilities: readonly FacilityStatus[]
  /** There are steps for it that haven't begun. */
  hasWork(facility: string): boolean
  /** Nothing is planned or under way anywhere. */
  readonly isSettled: boolean
  /** The host lacks what some facility's start needs, or one of its supervisors doesn't answer. */
  readonly isHindered: boolean
  /** Why facilities failed in the pass before, besides what their status says. */
  readonly failures?: ReadonlyMap<string, string>
  /** Why services that are to be removed are not. Absent: nothing keeps them. */
  readonly removalProblem?: string | undefined
}

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
  /** Resolves once nothing is under way, with what became of the newest revision. Undefined: there is none. */
  settled(signal: AbortSignal): Promise<RolloutStatus | undefined>
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
  const { clock, configuration, log, readHost } = session
  const { rollout: rules, stateDirectory } = configuration
  const { signal } = options
  /** Nothing is changed on the host, so that nothing can be judged. */
  const isReporting = configuration.mode === 'report'
  const inTurn = pLimit(1)
  const store = openRolloutStore(stateDirectory, session.openWriteHost(), record => options.told?.(record))
  /** Refusals of revisions whose manifests are not valid, by commit. */
  const invalid = new Map<string, string>()
  let progress: Progress = beginProgress(clock.elapsed())
  let last: Pick<Judgement, 'verdict' | 'message'> | undefined
  let unreachableSince: number | undefined
  const source = options.open({ admit, kept: () => findNeeded(store.state()) })
  const { changed } = options
  const wayBack = createWayBack({ session, store, source: () => source, read: readIfThere, restart, changed, signal })
  const resumed = resume()

  function now(): string {
    return new Date(clock.now()).toISOString()
  }

  function restart(): void {
    progress = beginProgress(clock.elapsed())
    last = undefined
    unreachableSince = undefined
  }

  function admit(revision: Revision): string | undefined {
    const { commit } = revision
    const refusal = invalid.get(commit) ?? findRefusal(store.state(), revision)
    if (refusal !== undefined) return refusal
    const set = readRevision(session, source.directoryOf(commit))
    comesNext(revision, set)
    const error = findError(set, session)
    const inForce = source.revision()
    if (error === undefined || !inForce || isReporting || rules.onFailure === 'continue') return undefined
    const message = `its manifests are not valid: ${error}`
    invalid.set(commit, message)
    store.save(conclude(store.state(), commit, 'Failed', { at: now(), message }))
    log.error({ commit }, `revision ${shorten(commit)} failed: ${message}; ${shorten(inForce.commit)} stays in force`)
    return message
  }

  function comesNext(revision: Revision, set: ManifestSet): void {
    const inForce = source.revision()
    const base = inForce?.commit === revision.commit ? undefined : inForce && findBase(store.state(), inForce.commit)
    const before = base === undefined ? undefined : readIfThere(base)
    const origin = before && base !== undefined ? { base } : {}
    store.save(begin(store.state(), { revision, changed: findChanged(before, set), at: now(), ...origin }))
    restart()
  }

  function readIfThere(commit: string): ManifestSet | undefined {
    const directory = source.directoryOf(commit)
    return readHost.facts(directory) ? readRevision(session, directory) : undefined
  }

  /** Goes on where a crash, or the end of the last controller, has interrupted it. */
  async function resume(): Promise<void> {
    adoptRevision()
    if (isReporting) return
    const record = currentOf(store.state())
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
    const set = revision && !isKnown ? readIfThere(revision.commit) : undefined
    if (revision && set) comesNext(revision, set)
  }

  async function judgeOnce(look: Look): Promise<void> {
    await resumed
    const record = currentOf(store.state())
    if (!record) return
    if (isGoingBack(record)) return look.commit === record.backTo ? judgeWayBack(record, look) : undefined
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
    const { commit, subject } = record.revision
    store.save(conclude(store.state(), commit, 'Healthy', { at: now() }))
    log.info({ commit }, `revision ${shorten(commit)} is healthy: ${subject}`)
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
      standings: standingsOf(record, look, new Set(declared.keys())),
      rulesOf: name => rulesFor(rules, declared.get(name)?.rollout),
      progressDeadline: rules.progressDeadline,
      now: clock.elapsed(),
    })
    progress = found.progress
    const error = findError(look.set, session)
    const judgement: Judgement = error === undefined ? found : { progress, verdict: 'failed', message: error }
    last = judgement
    if (judgement.next !== undefined) options.again(judgement.next)
    return judgement
  }

  /** A revision that cuts the host off from its repository can't be mended by another one. */
  async function isReachable(record: RevisionRecord): Promise<boolean> {
    const problem = rules.keepReachable ? await source.findUnreachable(signal) : undefined
    if (problem === undefined) return true
    const at = clock.elapsed()
    unreachableSince ??= at
    const message = `this host can't reach its repository any more: ${problem}`
    last = { verdict: 'progressing', message }
    const isFinal = at - unreachableSince >= rules.healthyDeadline
    if (isFinal && isUnderWay(record)) await wayBack.fail(record, message)
    else options.again(at + reachPause)
    return false
  }

  async function pin(wanted: string | undefined): Promise<RevisionReport> {
    const inForce = source.revision()?.commit
    const { revisions } = store.state()
    const found =
      wanted === undefined
        ? findWayBack(store.state(), inForce ?? '')
        : revisions.findLast(({ revision: { commit } }) => wanted.length >= 7 && commit.startsWith(wanted))
    if (!found) throw notFound(wanted)
    const { revision } = found
    store.save({ ...store.state(), pinned: revision.commit })
    if (inForce !== revision.commit) {
      const set = readIfThere(revision.commit)
      if (set) comesNext(revision, set)
      await source.enforce(revision, signal)
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
    isOpen: () => !isReporting && (isBusy(store.state()) || currentOf(store.state())?.outcome === 'Failed'),
    waiting: () => [...progress.facilities].flatMap(([name, { isHealthy }]) => (isHealthy ? [] : name)),
    gate: () => findGate(store.state(), progress, rules),
    noted: store.noted,
    async settled(until) {
      if (!isReporting) await store.settled(until)
      return reportRollout(store.state(), last).rollout
    },
    pin: wanted => inTurn(() => pin(wanted)),
    goOn(ways) {
      invalid.clear()
      store.save(goOn(store.state(), ways))
    },
  }
}

function standingsOf(record: RevisionRecord, look: Look, declared: ReadonlySet<string>): Map<string, Standing> {
  const statuses = new Map(look.facilities.map(status => [status.name, status]))
  const { failures, ...found } = look
  return new Map(
    record.changed.map(name => {
      const [isDeclared, hasWork, failure] = [declared.has(name), look.hasWork(name), failures?.get(name)]
      return [name, standingOf({ ...found, status: statuses.get(name), isDeclared, hasWork, failure })]
    }),
  )
}

function notFound(wanted: string | undefined): ReeveError {
  const which =
    wanted === undefined
      ? 'no other revision has been healthy on this host'
      : `no revision ${wanted} was tried on this host (a commit takes at least its first seven digits)`
  return new ReeveError('not-found', `${which}; reeve revisions lists what there is`)
}
