import type { GitUrl } from '../core/model/git-url.ts'
import type { GitRepository } from './git-repository.ts'
import { SourceError } from './source-error.ts'
import type { Candidate } from './trust.ts'

/** Finds the commit that a name leads to, and brings it into the repository. `base`: with the history since that commit. */
export type RevisionFinder = (
  revision: string,
  base: string | undefined,
  signal: AbortSignal,
) => Promise<Omit<Candidate, 'after'>>

/** At least as many digits of a commit's id as `reeve accept` takes. */
const idForm = /^[0-9a-f]{7,64}$/
const wholeIdForm = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/

/** In names of branches and tags, git allows none of these. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
const noName = /^$|^[-/.]|[\u0000-\u0020\u007f~^:?*[\\]|\.\.|\/\/|@\{|[/.]$/

/**
 * Commits of a repository behind a URL: `HEAD`, a branch, a tag, a whole reference (`refs/pull/7/head`), or a commit by at least seven
 * digits. What the local copy has is found without asking the server.
 */
export function createRemoteFinder(repository: GitRepository, url: GitUrl): RevisionFinder {
  async function findListed(revision: string, signal: AbortSignal): Promise<{ name: string; id: string } | undefined> {
    const isWhole = revision.startsWith('refs/')
    const names = isWhole ? [revision] : [`refs/heads/${revision}`, `refs/tags/${revision}`]
    const isHead = revision === 'HEAD'
    const listed = await repository.list(isHead ? ['refs/heads/*'] : names, signal)
    const wanted = isHead ? [listed.head] : names
    const [first, second] = listed.references.filter(({ name }) => wanted.includes(name))
    if (!second) return first
    throw new SourceError(
      'ReferenceNotFound',
      `${url.text} has both a branch and a tag ${revision}: name ${names.join(' or ')}`,
    )
  }

  async function fetchCommit(id: string, base: string | undefined, signal: AbortSignal): Promise<string> {
    if (wholeIdForm.test(id)) {
      try {
        return await repository.fetch(id, base, signal)
      } catch (error) {
        // Some servers give only what a branch or tag leads to.
        if (!(error instanceof SourceError) || error.reason !== 'FetchFailed') throw error
      }
    }
    await repository.fetchAll(signal)
    const found = await repository.find(id, signal)
    if (found !== undefined) return found
    throw new SourceError('ReferenceNotFound', `${url.text} has no branch, tag or commit ${id}`)
  }

  return async (revision, base, signal) => {
    if (noName.test(revision)) {
      throw new SourceError(
        'ReferenceNotFound',
        `expected a branch, a tag, or a commit by at least 7 digits of its id, found ${revision}`,
      )
    }
    const isId = idForm.test(revision)
    const here = isId ? await repository.find(revision, signal) : undefined
    if (here !== undefined) return { commit: here, reference: here, referenceId: here }
    const listed = await findListed(revision, signal)
    if (listed) {
      const commit = await repository.fetch(listed.name, base, signal)
      return { commit, reference: listed.name, referenceId: listed.id }
    }
    if (!isId) throw new SourceError('ReferenceNotFound', `${url.text} has no branch or tag ${revision}`)
    const commit = await fetchCommit(revision, base, signal)
    return { commit, reference: commit, referenceId: commit }
  }
}
