import { join } from 'node:path'
import type { ReadHost } from '../../core/contracts/host.ts'
import type { Diagnostic } from '../../core/model/diagnostic.ts'
import { ReeveError } from '../../core/reeve-error.ts'
import { formatMark, type RevisionMark } from '../../core/state/revision-mark.ts'
import { withMovedDirectory } from '../../host/moved-directory.ts'
import { openScratch, type Scratch } from '../../host/scratch.ts'
import type { ManifestSet } from '../../manifest/manifest-set.ts'
import { createCheckoutFinder, limitToCheckout } from '../../source/checkout.ts'
import { createGitRepository, type GitRepository } from '../../source/git-repository.ts'
import { exportRevision, readCommit } from '../../source/revision-export.ts'
import { createRemoteFinder, type RevisionFinder } from '../../source/revision-finder.ts'
import { SourceError } from '../../source/source-error.ts'
import { markOf, type SourceState, sourceIdOf } from '../../source/source-state.ts'
import type { Candidate } from '../../source/trust.ts'
import { openTrust } from '../../source/trust-keeping.ts'
import { readExported } from './exported-manifests.ts'
import type { RevisionPlace } from './revision-place.ts'
import type { Session } from './session.ts'
import { toolPath } from './source-opening.ts'

/** Manifests of one commit, whose temporary copy is gone with the disposal. */
export interface RevisionSet extends Disposable {
  readonly commit: string
  readonly set: ManifestSet
  /** Why this host would not apply the commit. Absent: it would. */
  readonly untrusted?: string
  /** The mark that definitions would get from it. Absent: none, as the host doesn't follow that repository. */
  readonly mark?: string
  /** The host as it is once they are in force there. */
  readonly host: ReadHost
}

export interface RevisionWish {
  readonly revision: string
  /** True: a commit without the directory declares nothing. */
  readonly mayLack?: boolean
  /** Commit of the newest healthy revision, for the mark. */
  readonly healthy?: string | undefined
}

/**
 * Reads the manifests of a commit from a temporary copy: nothing else is written. They are exported and checked as those of a revision that
 * comes into force. Throws ReeveError.
 */
export async function readRevision(
  session: Session,
  place: RevisionPlace,
  wish: RevisionWish,
  signal: AbortSignal,
): Promise<RevisionSet> {
  const scratch = openScratch(session.openWriteHost())
  try {
    const read = await readInto(scratch, session, place, wish, signal)
    return { ...read, [Symbol.dispose]: () => scratch[Symbol.dispose]() }
  } catch (error) {
    scratch[Symbol.dispose]()
    if (!(error instanceof SourceError)) throw error
    // A sync may have renewed the copy on this host meanwhile.
    if (error.reason === 'Corrupt' && place.alternate !== undefined && !place.checkout) {
      const { alternate: _, ...remote } = place
      return readRevision(session, remote, wish, signal)
    }
    throw new ReeveError('failed', `revision ${wish.revision}: ${error.message}`, { cause: error })
  }
}

async function readInto(
  scratch: Scratch,
  session: Session,
  place: RevisionPlace,
  { revision, mayLack = false, healthy }: RevisionWish,
  signal: AbortSignal,
): Promise<Omit<RevisionSet, keyof Disposable>> {
  const { url, access, path, inForce, alternate, verify, state } = place
  const { host } = scratch
  const directory = join(scratch.directory, 'git')
  const copy = createGitRepository({
    ...{ directory, url, access, host, searchPath: toolPath() },
    ...(alternate !== undefined && { alternate }),
  })
  const repository = place.checkout ? limitToCheckout(copy, place.checkout) : copy
  const head = state?.head?.commit
  // What is fetched then is only what is newer.
  if (head !== undefined && (await repository.find(head, signal)) !== undefined) await repository.keep(head, signal)
  const find = finderOf(place, repository, scratch)
  const found = await find(revision, head ?? verify?.start, signal)
  const isSuccessor = head !== undefined && (await repository.isAncestor(head, found.commit, signal))
  const candidate = { ...found, ...(isSuccessor && { after: head }) }
  const untrusted = await findDistrust(session, place, { repository, scratch, candidate }, signal)
  let mark: string | undefined
  const exported = join(scratch.directory, 'manifests')
  try {
    const { tree } = await readCommit(repository, { commit: found.commit, path }, signal)
    mark = state && findMark(state, { commit: found.commit, tree, healthy }, isSuccessor)
    await exportRevision(repository, { tree, directory: exported }, host, signal)
  } catch (error) {
    const lacks = error instanceof SourceError && error.reason === 'ReferenceNotFound'
    if (!lacks || !mayLack) throw error
    host.makeDirectory(exported, { mode: 0o700 })
  }
  const labelled = relabel(readExported(session, exported, inForce), inForce, path)
  const warning = untrusted === undefined ? [] : [warnOf(untrusted, found.commit)]
  return {
    commit: found.commit,
    host: withMovedDirectory(session.readHost, exported, inForce),
    set: { ...labelled, diagnostics: [...labelled.diagnostics, ...warning] },
    ...(untrusted !== undefined && { untrusted }),
    ...(mark !== undefined && { mark }),
  }
}

function finderOf(
  { checkout, url }: RevisionPlace,
  repository: GitRepository,
  { directory, host }: Scratch,
): RevisionFinder {
  if (!checkout) return createRemoteFinder(repository, url)
  return createCheckoutFinder(checkout, { host, home: directory, searchPath: toolPath() })
}

/** Why the host's own keys don't vouch for the commit; what is no successor of the newest accepted commit is judged as a first revision is. */
async function findDistrust(
  { clock }: Session,
  { verify }: RevisionPlace,
  {
    repository,
    scratch,
    candidate,
  }: { readonly repository: GitRepository; readonly scratch: Scratch; readonly candidate: Candidate },
  signal: AbortSignal,
): Promise<string | undefined> {
  if (!verify) return undefined
  const { host } = scratch
  const trust = openTrust(verify, {
    ...{ repository, host, clock, searchPath: toolPath() },
    directory: join(scratch.directory, 'keys'),
  })
  try {
    await trust.expect(candidate, signal)
    return undefined
  } catch (error) {
    if (error instanceof SourceError && error.reason === 'Untrusted') return error.message
    throw error
  }
}

/** As if the host had accepted the commit; an older one, or one of another branch, leaves the newest accepted as it is. */
function findMark(
  state: SourceState,
  { healthy, ...revision }: Pick<RevisionMark, 'commit' | 'tree'> & Pick<RevisionWish, 'healthy'>,
  isSuccessor: boolean,
): string | undefined {
  const { key, head, count = 0 } = state
  if (head && (!isSuccessor || head.commit === revision.commit)) return markOf(state, healthy)
  const former = healthy === undefined || healthy === revision.commit ? {} : { healthy }
  return formatMark({ ...revision, count: count + 1, source: sourceIdOf(key), ...former })
}

function warnOf(untrusted: string, commit: string): Diagnostic {
  return {
    ...{ file: `commit ${commit.slice(0, 12)}`, line: 0, column: 0, severity: 'warning', code: 'untrusted' },
    message: `${untrusted}; this host would not apply it`,
  }
}

/** Reads the manifests of the session, as they are once they are in force. */
export function readCheckout(session: Session, { inForce }: Pick<RevisionPlace, 'inForce'>): ManifestSet {
  return relabel(readExported(session, session.directory, inForce), inForce, session.manifests.directory)
}

/** Names files as people know them, by a path, in place of the directory that they are in once in force. */
function relabel(set: ManifestSet, directory: string, path: string): ManifestSet {
  const name = (text: string): string =>
    text.replaceAll(`${directory}/`, path === '' ? '' : `${path}/`).replaceAll(directory, path === '' ? '.' : path)
  return {
    ...set,
    facilities: set.facilities.map(facility => ({
      ...facility,
      position: { ...facility.position, file: name(facility.position.file) },
    })),
    diagnostics: set.diagnostics.map(each => ({ ...each, file: name(each.file), message: name(each.message) })),
  }
}
