import { join } from 'node:path'
import type { Clock } from '../host/clock.ts'
import { type CopySize, measureCopy } from './copy-size.ts'
import { createGitRepository, type GitRepository, type GitRepositoryOptions } from './git-repository.ts'
import { removeTree } from './removal.ts'
import { defaultLimits, type RepositoryLimits } from './repository-limits.ts'
import { SourceError } from './source-error.ts'
import { copyRepository } from './source-place.ts'

export interface BoundedRepositoryOptions extends GitRepositoryOptions {
  readonly clock: Clock
  /** Ids of objects that are still needed when the copy is made anew: commits and tags whose signatures may be asked for again. */
  readonly kept: () => readonly string[]
}

/** How often (ms) the copy is measured while something is fetched into it. */
const measureInterval = 1_000

/**
 * The copy of a repository, bounded on the disk: a fetch that makes it too large is given up, and before that, one that has piled up is made
 * anew, with no more history than is needed. The new one takes the place of the old one once the server has given all that was asked for:
 * until then, nothing is lost. `reset` has it made anew by the next fetch.
 */
export function openBoundedRepository(options: BoundedRepositoryOptions): GitRepository {
  const { directory, host, clock } = options
  const limits = { ...defaultLimits, ...options.limits }
  const repository = copyRepository(directory)
  const [next, old] = [join(directory, 'next'), join(directory, 'old')]
  let copy = createGitRepository(options)
  let isResetDue = false
  /** Nothing has been kept in it yet. */
  let isFresh = host.facts(join(repository, 'HEAD')) === undefined

  /** Fetches within the limit. After a failure, what git may have left behind is removed by the next command. */
  async function bounded<T>(
    place: string,
    signal: AbortSignal,
    fetch: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    using watch = watchSize(place, signal)
    try {
      const found = await fetch(watch.signal)
      watch.measure()
      watch.signal.throwIfAborted()
      return found
    } catch (error) {
      copy = createGitRepository(options)
      throw watch.signal.aborted && !signal.aborted ? watch.signal.reason : error
    }
  }

  function watchSize(
    place: string,
    signal: AbortSignal,
  ): Disposable & { readonly signal: AbortSignal; measure(): void } {
    const controller = new AbortController()
    const give = (): void => controller.abort(signal.reason)
    signal.addEventListener('abort', give, { once: true })
    if (signal.aborted) give()
    let timer = clock.after(measureInterval, again)
    function measure(): void {
      if (measureCopy(place, host).bytes > limits.copy) controller.abort(tooLarge(options, limits))
    }
    function again(): void {
      measure()
      timer = clock.after(measureInterval, again)
    }
    return {
      signal: controller.signal,
      measure,
      [Symbol.dispose]() {
        timer[Symbol.dispose]()
        signal.removeEventListener('abort', give)
      },
    }
  }

  async function fetchAnew(reference: string, base: string | undefined, signal: AbortSignal): Promise<string> {
    isResetDue = false
    try {
      const fresh = createGitRepository({ ...options, directory: next })
      // It says by its ids which hash the repository has.
      await fresh.list([reference], signal)
      const commit = await bounded(next, signal, within => fresh.fetch(reference, base, within))
      await carryOver(fresh, signal)
      swap()
      return commit
    } finally {
      removeTree(next, host)
    }
  }

  async function carryOver(fresh: GitRepository, signal: AbortSignal): Promise<void> {
    try {
      for (const object of await copy.read([...new Set(options.kept())], signal)) {
        if ('content' in object) await fresh.put(object, signal)
      }
    } catch (error) {
      // What a corrupt copy doesn't give is lost with it.
      if (!(error instanceof SourceError) || signal.aborted) throw error
    }
  }

  /** A crash in between loses the copy, and the next fetch makes it anew. */
  function swap(): void {
    if (host.facts(repository)) host.moveFile(repository, old)
    host.moveFile(copyRepository(next), repository)
    removeTree(old, host)
    copy = createGitRepository(options)
    isFresh = true
  }

  return {
    list: (patterns, signal) => copy.list(patterns, signal),
    fetch(reference, base, signal) {
      // A crash may have left them behind.
      for (const path of [next, old]) removeTree(path, host)
      if (isResetDue || isWorn(measureCopy(repository, host), limits)) return fetchAnew(reference, base, signal)
      return bounded(directory, signal, within => copy.fetch(reference, base, within))
    },
    fetchAll: signal => bounded(directory, signal, within => copy.fetchAll(within)),
    fetchFiles: (ids, signal) => bounded(directory, signal, within => copy.fetchFiles(ids, within)),
    find: (id, signal) => copy.find(id, signal),
    read: (names, signal) => copy.read(names, signal),
    readTree: (tree, signal) => copy.readTree(tree, signal),
    put: (object, signal) => copy.put(object, signal),
    listCommits: (range, signal) => copy.listCommits(range, signal),
    isAncestor: (older, newer, signal) => copy.isAncestor(older, newer, signal),
    async keep(commit, signal) {
      await copy.keep(commit, signal)
      isFresh = false
    },
    reset() {
      if (isFresh) return false
      isResetDue = true
      return true
    },
  }
}

function isWorn({ bytes, files, packs }: CopySize, limits: RepositoryLimits): boolean {
  return bytes > limits.copy / 2 || files > limits.files || packs > limits.packs
}

function tooLarge({ url }: GitRepositoryOptions, { copy }: RepositoryLimits): SourceError {
  const size = `${Math.floor(copy / 1024 ** 2)} MiB`
  const advice = 'the repository is larger than Reeve takes: keep manifests in one of their own'
  return new SourceError('TooLarge', `${url.text}: the local copy would take more than ${size}; ${advice}`)
}
