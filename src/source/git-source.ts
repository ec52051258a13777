import { join } from 'node:path'
import type { SourceCondition, SourceStatus, WaitingRevision } from '../core/contracts/source-status.ts'
import type { ReferenceWish, VerifyConfiguration } from '../core/model/source-configuration.ts'
import { ReeveError } from '../core/reeve-error.ts'
import { findNewestMark, type RevisionMark } from '../core/state/revision-mark.ts'
import type { Clock } from '../host/clock.ts'
import { openBoundedRepository } from './bounded-repository.ts'
import { createExportedRevisions } from './exported-revisions.ts'
import type { SourceReason } from './git-failure.ts'
import type { GitRepositoryOptions } from './git-repository.ts'
import { type Former, findFormer, readFormer } from './recovery.ts'
import { chooseReference, describeWish, patternsOf } from './reference-choice.ts'
import type { RemoteReference } from './remote-reference.ts'
import { readCommit, readFacts } from './revision-export.ts'
import { SourceError } from './source-error.ts'
import { copyDirectory } from './source-place.ts'
import { causeOf, factsOf, findWarning, inForce } from './source-report.ts'
import {
  keyOf,
  type Revision,
  readSourceState,
  type SourceState,
  sourceIdOf,
  writeSourceState,
} from './source-state.ts'
import { expectSuccessor, findPredecessor, type Succession } from './succession.ts'
import type { Candidate } from './trust.ts'
import { openTrust } from './trust-keeping.ts'

/** Why a sync may fail because of the local copy. */
const localReasons: ReadonlySet<SourceReason> = new Set(['Corrupt', 'FetchFailed', 'TooLarge'])

export interface GitSourceOptions extends Omit<GitRepositoryOptions, 'directory'> {
  /** Of this source alone: absolute, in the state directory. */
  readonly directory: string
  readonly wish: ReferenceWish
  /** Below the repository's top: the directory of the manifests. */
  readonly path: string
  /** Absent: whoever can push decides. */
  readonly verify?: VerifyConfiguration
  readonly clock: Clock
  /** Absent: everything is admitted. */
  readonly admission?: Admission
  /** Marks of accepted revisions on what Reeve owns: they are asked for where the state of the source is lost. Absent: there are none. */
  readonly findMarks?: (signal: AbortSignal) => Promise<readonly string[]>
}

/** Decides which revisions come into force. */
export interface Admission {
  /** Why the revision, which has been exported, isn't to come into force now. Undefined: it is. */
  admit(revision: Revision): string | undefined
  /** Ids that are needed besides: of commits, and of the tags that lead to them. */
  kept(): readonly string[]
  /** The state was lost, and is known again from the marks on what Reeve owns. */
  recovered(former: Former): void
}

/** A Git repository of which one revision is in force on this host. */
export interface GitSource {
  status(): SourceStatus
  /** The revision in force. Undefined: none has been fetched yet. */
  revision(): Revision | undefined
  /**
   * Asks the repository, and puts the wanted revision into force, if it is admitted. What can't be had is told by the status, and the
   * revision in force stays. Rejects only when the signal is aborted.
   *
   * @returns true: another revision is in force now
   */
  sync(signal: AbortSignal): Promise<boolean>
  /**
   * Puts a former revision into force. Throws SourceError if it can't be exported, or isn't trusted any more. `isWanted`: asked right
   * before; false: it is left as it is.
   */
  enforce(revision: Revision, signal: AbortSignal, isWanted?: () => boolean): Promise<void>
  /** Why the repository can't be asked. Undefined: it can. */
  findUnreachable(signal: AbortSignal): Promise<string | undefined>
  /** Directory of the exported revision. */
  directoryOf(commit: string): string
  /**
   * Lets the commit that was refused last, as it doesn't descend from the newest accepted one, come into force at the next sync. Throws
   * ReeveError `refused` if that is another one. `commit`: at least its first seven digits.
   */
  accept(commit: string): void
}

/**
 * Opens the source. A revision that was put into force, and whose symlink a crash has kept from being switched, is switched to now.
 */
export function openGitSource(options: GitSourceOptions): GitSource {
  const { directory, host, clock, wish, url } = options
  const repository = openBoundedRepository({
    ...options,
    directory: copyDirectory(directory),
    kept: () => [
      ...[state.head, state.revision].flatMap(one => (one ? [one.commit, one.referenceId] : [])),
      ...(options.admission?.kept() ?? []),
    ],
  })
  const revisions = createExportedRevisions(directory, repository, host)
  const key = keyOf(options)
  const trust =
    options.verify && openTrust(options.verify, { ...options, repository, directory: join(directory, 'keys') })
  host.makeDirectory(directory, { mode: 0o700 })
  let state = readSourceState(directory, key, host)
  let condition: SourceCondition = state.revision
    ? { reason: 'UpToDate', message: inForce(state.revision), since: timeOf(clock) }
    : { reason: 'Pending', message: 'no revision has been fetched yet', since: timeOf(clock) }
  let fetchedAt: string | null = null
  let refused: string | undefined
  let waiting: WaitingRevision | undefined
  if (state.revision && revisions.has(state.revision.commit)) revisions.switchTo(state.revision.commit)

  async function syncOnce(signal: AbortSignal): Promise<boolean> {
    const listed = await repository.list(patternsOf(wish), signal)
    fetchedAt = timeOf(clock)
    const reference = chooseReference(wish, listed)
    if (!reference) {
      throw new SourceError('ReferenceNotFound', `${url.text} has no ${describeWish(wish).replace(/^the /, '')}`)
    }
    refused = undefined
    const { head } = state
    const isSame = head?.reference === reference.name && head.referenceId === reference.id
    if (!head || !isSame || !revisions.has(head.commit)) return putForward(await take(reference, signal))
    await trust?.expectStill(head, signal)
    return head.commit === state.revision?.commit ? false : putForward(head)
  }

  /** Fetches, verifies and exports what the reference leads to, and has it as the newest accepted. */
  async function take({ name, id }: RemoteReference, signal: AbortSignal): Promise<Revision> {
    const { head, accepted } = state
    const mark = head ? undefined : await findMark(signal)
    const before = findPredecessor(state, mark)
    const commit = await repository.fetch(name, before?.commit ?? options.verify?.start, signal)
    let [candidate, signer]: [Candidate, string | undefined] = [{ commit, reference: name, referenceId: id }, undefined]
    try {
      if (before && commit !== accepted) await expectNext({ before, commit, reference: name }, signal)
      // Of a history that was rewritten, the server may not have it any more.
      const isKnown = before && (commit !== accepted || (await repository.find(before.commit, signal)) !== undefined)
      if (isKnown) candidate = { ...candidate, after: before.commit }
      signer = await trust?.expect(candidate, signal)
    } catch (error) {
      if (error instanceof SourceError) waiting = await describeWaiting(commit, error.message, signal)
      throw error
    }
    if (mark) await recover(mark, candidate, signal)
    const read = await readExported({ ...candidate, ...(signer !== undefined && { signer }) }, signal)
    const revision = head?.commit === commit ? { ...read, since: head.since } : read
    await repository.keep(commit, signal)
    const { accepted: _, ...rest } = state
    const count = before?.commit === commit ? before.count : (before?.count ?? 0) + 1
    keep({ ...rest, head: revision, count })
    return revision
  }

  async function describeWaiting(commit: string, message: string, signal: AbortSignal): Promise<WaitingRevision> {
    const { subject } = await readFacts(repository, commit, signal)
    return { commit, subject, message }
  }

  /** The state was lost: puts what the host had into force again. A crash before the end repeats it. */
  async function recover(mark: RevisionMark, { commit, reference }: Candidate, signal: AbortSignal): Promise<void> {
    const found = state.revision ? undefined : findFormer(mark, commit)
    const take = (id: string) => readExported({ commit: id, reference, referenceId: id }, signal)
    const former = found && (await readFormer(found, { repository, trust, reference, take }, signal))
    if (!former) return
    options.admission?.recovered(former)
    putInForce(former.inForce)
  }

  async function readExported(
    { commit, reference, referenceId, signer }: Candidate & Pick<Revision, 'signer'>,
    signal: AbortSignal,
  ): Promise<Revision> {
    const { facts, tree } = await readCommit(repository, { commit, path: options.path }, signal)
    if (!revisions.has(commit)) await revisions.add({ commit, tree }, signal)
    const { subject, author, time } = facts
    const committedAt = new Date(time).toISOString()
    const signed = signer === undefined ? {} : { signer }
    return { commit, tree, reference, referenceId, subject, author, committedAt, since: timeOf(clock), ...signed }
  }

  async function findMark(signal: AbortSignal): Promise<RevisionMark | undefined> {
    return findNewestMark((await options.findMarks?.(signal)) ?? [], sourceIdOf(key))
  }

  async function expectNext(succession: Succession, signal: AbortSignal): Promise<void> {
    try {
      await expectSuccessor(succession, { wish, repository }, signal)
    } catch (error) {
      if (error instanceof SourceError && error.reason === 'NotFastForward') refused = succession.commit
      throw error
    }
  }

  /** Puts the newest accepted revision into force, unless something is against it. */
  function putForward(head: Revision): boolean {
    const { revision } = state
    const isInForce = revision?.commit === head.commit
    const refusal = isInForce ? undefined : options.admission?.admit(head)
    waiting = refusal === undefined ? undefined : { commit: head.commit, subject: head.subject, message: refusal }
    if (refusal !== undefined) return false
    putInForce(isInForce ? { ...head, since: revision.since } : { ...head, since: timeOf(clock) })
    sweepOthers(head)
    return !isInForce
  }

  /** First the mark, then the switch: a crash between the two is mended when the source is opened. */
  function putInForce(revision: Revision): void {
    if (JSON.stringify(revision) !== JSON.stringify(state.revision)) keep({ ...state, revision })
    revisions.switchTo(revision.commit)
  }

  function sweepOthers({ commit }: Revision): void {
    revisions.sweep(new Set([commit, state.head?.commit ?? '', ...(options.admission?.kept() ?? [])]))
  }

  function keep(next: SourceState): void {
    writeSourceState(directory, next, host)
    state = next
  }

  function conclude(reason: 'UpToDate' | SourceReason, message: string): void {
    const isSame = condition.reason === reason && condition.message === message
    condition = { reason, message, since: isSame ? condition.since : timeOf(clock) }
  }

  /** What neither the network nor the server explains may come of the local copy: once, it is tried with a new one. */
  async function trySync(signal: AbortSignal): Promise<boolean> {
    try {
      return await syncOnce(signal)
    } catch (error) {
      const isLocal = error instanceof SourceError && localReasons.has(error.reason)
      if (!isLocal || !repository.reset()) throw error
      return await syncOnce(signal)
    }
  }

  return {
    status: () => ({
      url: url.text,
      wanted: describeWish(wish),
      ...(state.revision && { revision: factsOf(state.revision) }),
      fetchedAt,
      condition,
      ...(waiting && { waiting }),
      ...findWarning(state.head, options.verify?.maxAge, clock.now()),
    }),
    revision: () => state.revision,
    directoryOf: revisions.directoryOf,
    async enforce(revision, signal, isWanted = () => true) {
      const { commit, tree } = revision
      await trust?.expect({ ...revision, after: commit }, signal)
      if (!revisions.has(commit)) await revisions.add({ commit, tree }, signal)
      if (isWanted()) putInForce({ ...revision, since: timeOf(clock) })
    },
    async findUnreachable(signal) {
      try {
        await repository.list([], signal)
        return undefined
      } catch (error) {
        if (signal.aborted) throw error
        return causeOf(error)[1]
      }
    },
    async sync(signal) {
      try {
        const hasChanged = await trySync(signal)
        if (state.revision) conclude('UpToDate', inForce(state.revision))
        return hasChanged
      } catch (error) {
        if (signal.aborted) throw error
        const [reason, message] = causeOf(error)
        conclude(reason, message)
        return false
      }
    },
    accept(commit) {
      if (refused !== undefined && commit.length >= 7 && refused.startsWith(commit)) {
        keep({ ...state, accepted: refused })
        return
      }
      const found = refused === undefined ? 'none waits' : `${refused} waits`
      throw new ReeveError('refused', `expected the commit that waits to be accepted: ${found}, found ${commit}`)
    },
  }
}

function timeOf(clock: Clock): string {
  return new Date(clock.now()).toISOString()
}
