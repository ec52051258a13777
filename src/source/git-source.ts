import { join } from 'node:path'
import type { RevisionFacts, SourceCondition, SourceStatus } from '../core/contracts/source-status.ts'
import type { ReferenceWish, VerifyConfiguration } from '../core/model/source-configuration.ts'
import { messageOf, ReeveError } from '../core/reeve-error.ts'
import type { Clock } from '../host/clock.ts'
import type { SourceReason } from './git-failure.ts'
import { createGitRepository, type GitRepositoryOptions } from './git-repository.ts'
import { chooseReference, describeWish, patternsOf } from './reference-choice.ts'
import { removeTree } from './removal.ts'
import { exportRevision, readCommit } from './revision-export.ts'
import { SourceError } from './source-error.ts'
import { manifestsLink } from './source-place.ts'
import { readSourceState, type SourceState, writeSourceState } from './source-state.ts'
import { openTrust } from './trust-keeping.ts'

/** How many revisions besides the one in force are kept on the disk. */
const keptRevisions = 5

export interface GitSourceOptions extends Omit<GitRepositoryOptions, 'directory'> {
  /** Of this source alone: absolute, in the state directory. */
  readonly directory: string
  readonly wish: ReferenceWish
  /** Below the repository's top: the directory of the manifests. */
  readonly path: string
  /** Absent: whoever can push decides. */
  readonly verify?: VerifyConfiguration
  readonly clock: Clock
}

/** A Git repository of which one revision is in force on this host. */
export interface GitSource {
  status(): SourceStatus
  /**
   * Asks the repository, and puts the wanted revision into force. What can't be had is told by the status, and the revision in force
   * stays. Rejects only when the signal is aborted.
   *
   * @returns true: another revision is in force now
   */
  sync(signal: AbortSignal): Promise<boolean>
  /**
   * Lets the commit that was refused last, as it doesn't descend from the one in force, come into force at the next sync. Throws ReeveError
   * `refused` if that is another one. `commit`: at least its first seven digits.
   */
  accept(commit: string): void
}

/** Of a source that is asked for another revision, or another repository, nothing that was remembered holds. */
export function keyOf({ url, wish, path }: Pick<GitSourceOptions, 'url' | 'wish' | 'path'>): string {
  return JSON.stringify([url.text, wish, path])
}

/**
 * Opens the source. A revision that was put into force, and whose symlink a crash has kept from being switched, is switched to now.
 */
export function openGitSource(options: GitSourceOptions): GitSource {
  const { directory, host, clock, wish, url } = options
  const revisions = join(directory, 'revisions')
  const repository = createGitRepository({ ...options, directory: join(directory, 'git') })
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
  if (state.revision && isExported(state.revision.commit)) switchTo(state.revision.commit)

  function isExported(commit: string): boolean {
    return host.facts(join(revisions, commit))?.kind === 'directory'
  }

  async function syncOnce(signal: AbortSignal): Promise<boolean> {
    const listed = await repository.list(patternsOf(wish), signal)
    fetchedAt = timeOf(clock)
    const reference = chooseReference(wish, listed)
    if (!reference) {
      throw new SourceError('ReferenceNotFound', `${url.text} has no ${describeWish(wish).replace(/^the /, '')}`)
    }
    refused = undefined
    const before = state.revision
    const isSame = before?.reference === reference.name && state.referenceId === reference.id
    if (before && isSame && isExported(before.commit)) {
      await trust?.expectStill({ commit: before.commit, reference: reference.name, referenceId: reference.id }, signal)
      return false
    }
    const commit = await repository.fetch(reference.name, before?.commit ?? options.verify?.start, signal)
    if (before && before.commit !== commit) await expectSuccessor(before, commit, reference.name, signal)
    const candidate = {
      commit,
      reference: reference.name,
      referenceId: reference.id,
      ...(before && { after: before.commit }),
    }
    const signer = await trust?.expect(candidate, signal)
    const facts = await readCommit(repository, commit, signal)
    if (!isExported(commit)) {
      host.makeDirectory(revisions, { mode: 0o700 })
      await exportRevision(repository, { commit, path: options.path, directory: join(revisions, commit) }, host, signal)
    }
    const revision: RevisionFacts = {
      commit,
      reference: reference.name,
      subject: facts.subject,
      author: facts.author,
      committedAt: new Date(facts.time).toISOString(),
      since: before?.commit === commit ? before.since : timeOf(clock),
      ...(signer !== undefined && { signer }),
    }
    await repository.keep(commit, signal)
    // First the mark, then the switch: a crash between the two is mended when the source is opened.
    keep({ key, revision, referenceId: reference.id })
    switchTo(commit)
    sweep(commit)
    return before?.commit !== commit
  }

  /** A branch whose history was rewritten, and a tag that was moved, need a person's word. */
  async function expectSuccessor(
    before: RevisionFacts,
    commit: string,
    reference: string,
    signal: AbortSignal,
  ): Promise<void> {
    if (commit === state.accepted) return
    const isTag = reference.startsWith('refs/tags/')
    if (isTag && before.reference !== reference) return
    if (!isTag && (await repository.isAncestor(before.commit, commit, signal))) return
    refused = commit
    const [old, next] = [before.commit.slice(0, 12), commit.slice(0, 12)]
    const what = isTag
      ? `${describeWish(wish)} was moved from ${old} to ${next}`
      : `${reference.replace(/^refs\/heads\//, 'branch ')} leads to ${next}, which does not descend from ${old}, the revision in force`
    throw new SourceError('NotFastForward', `${what}; if that is meant, run reeve accept ${next}`)
  }

  function keep(next: SourceState): void {
    writeSourceState(directory, next, host)
    state = next
  }

  function switchTo(commit: string): void {
    const link = manifestsLink(directory)
    const target = join('revisions', commit)
    if (host.readLink(link) === target) return
    const fresh = `${link}.next`
    host.removeFile(fresh)
    host.makeLink(fresh, target)
    host.moveFile(fresh, link)
  }

  /** Of the others, the oldest go. What is no revision was left behind by a crash. */
  function sweep(inForce: string): void {
    const found = (host.readDirectory(revisions) ?? []).filter(name => name !== inForce)
    const age = (name: string): number => host.facts(join(revisions, name))?.changed ?? 0
    const kept = found
      .filter(name => /^[0-9a-f]+$/.test(name))
      .sort((left, right) => age(right) - age(left))
      .slice(0, keptRevisions)
    for (const name of found) if (!kept.includes(name)) removeTree(join(revisions, name), host)
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
      const isLocal = error instanceof SourceError && (error.reason === 'Corrupt' || error.reason === 'FetchFailed')
      if (!isLocal || !repository.reset()) throw error
      return await syncOnce(signal)
    }
  }

  return {
    status: () => ({
      url: url.text,
      wanted: describeWish(wish),
      ...(state.revision && { revision: state.revision }),
      fetchedAt,
      condition,
      ...findWarning(state.revision, options.verify?.maxAge, clock.now()),
    }),
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

/** That an old head is served for ever is seen by its age alone: whoever does so, signs nothing. */
function findWarning(
  revision: RevisionFacts | undefined,
  maxAge: number | undefined,
  now: number,
): { readonly warning?: string } {
  if (!revision || maxAge === undefined) return {}
  const days = (now - Date.parse(revision.committedAt)) / 86_400_000
  if (days * 86_400_000 <= maxAge) return {}
  const age = `the newest commit is ${Math.floor(days)} days old, more than verify.maxAge allows`
  return { warning: `${age}: if there are newer ones, somebody keeps them from this host` }
}

function causeOf(error: unknown): [SourceReason, string] {
  if (error instanceof SourceError) return [error.reason, error.message]
  const message = messageOf(error)
  if (/ENOSPC|EDQUOT|EROFS|no space left|is full/i.test(message)) return ['DiskFull', message]
  return ['FetchFailed', error instanceof ReeveError ? message : `Reeve failed: ${message}`]
}

function inForce({ commit, subject }: RevisionFacts): string {
  return `${commit.slice(0, 12)} is in force: ${subject}`
}

function timeOf(clock: Clock): string {
  return new Date(clock.now()).toISOString()
}
