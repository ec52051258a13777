import { dirname, join } from 'node:path'
import type { ContainedRunResult } from '../core/contracts/runs.ts'
import type { GitUrl } from '../core/model/git-url.ts'
import type { GitAccess } from '../core/model/source-configuration.ts'
import { messageOf } from '../core/reeve-error.ts'
import type { ScratchHost } from '../host/scratch.ts'
import { type GitCommandOptions, localGit, pipedGit, remoteGit } from './git-command.ts'
import { type BatchAnswer, type GitObject, parseBatch } from './git-object.ts'
import { createGitRunner } from './git-runner.ts'
import { parseReferences, type RemoteReference } from './remote-reference.ts'
import { removeLocks, removeTree } from './removal.ts'
import { defaultLimits, type RepositoryLimits } from './repository-limits.ts'
import { SourceError } from './source-error.ts'
import { copyRepository } from './source-place.ts'

export interface GitRepositoryOptions {
  /** Where it is kept, absolute: only Reeve's user may change anything on the way there. */
  readonly directory: string
  readonly url: GitUrl
  readonly access: GitAccess
  readonly host: ScratchHost
  readonly searchPath: string
  /** Git directory of another copy, absolute, whose objects are read too. Nothing is written there. */
  readonly alternate?: string
  readonly limits?: Partial<RepositoryLimits>
}

/**
 * A bare copy of a repository, of which only Reeve knows. It holds the commits that were fetched, and of their files only small ones: those of
 * a revision that are missing are fetched when it is exported. It can be deleted at any time: what is missing is fetched again.
 */
export interface GitRepository {
  /** The references of these names (patterns as in `git ls-remote`), as the server has them now, and what its HEAD names. */
  list(
    patterns: readonly string[],
    signal: AbortSignal,
  ): Promise<{ references: readonly RemoteReference[]; head?: string }>
  /**
   * Fetches one reference, with the history since `base`, where the server still has that; gives the commit it leads to. Without one,
   * only that commit.
   */
  fetch(reference: string, base: string | undefined, signal: AbortSignal): Promise<string>
  /** Fetches the history of all branches and tags. */
  fetchAll(signal: AbortSignal): Promise<void>
  /** Fetches files by their ids; from a server that doesn't give single ones, all of the reference that was fetched last. */
  fetchFiles(ids: readonly string[], signal: AbortSignal): Promise<void>
  /** The commit with this id, or with an id that begins so. Undefined: it isn't here, or there are several. */
  find(id: string, signal: AbortSignal): Promise<string | undefined>
  /** What is there of these, in that order, each checked against its id. Names are ids, or as git knows them: `COMMIT:PATH`. */
  read(names: readonly string[], signal: AbortSignal): Promise<readonly BatchAnswer[]>
  /** What is there of a tree and all below it, each once and checked against its id; what isn't there is named at least where it is a file. */
  readTree(tree: string, signal: AbortSignal): Promise<readonly BatchAnswer[]>
  /** Writes an object. */
  put(object: GitObject, signal: AbortSignal): Promise<void>
  /** Those that lead from one commit to another, the oldest first; `isLine`: by first parents only. */
  listCommits(
    range: { readonly from: string; readonly to: string; readonly isLine: boolean; readonly most: number },
    signal: AbortSignal,
  ): Promise<readonly string[]>
  isAncestor(older: string, newer: string, signal: AbortSignal): Promise<boolean>
  /** Keeps the commit, and what it leads back to, from being lost. */
  keep(commit: string, signal: AbortSignal): Promise<void>
  /** Deletes it: the next fetch makes it anew. False: it has just been made, and that would help nothing. */
  reset(): boolean
}

/** Files up to this size come along with new commits, which saves asking for those of the manifests. */
const smallFile = '16k'

const candidate = 'refs/reeve/candidate'
const current = 'refs/reeve/current'

const readObjects = ['cat-file', '--batch', '--buffer']

export function createGitRepository(options: GitRepositoryOptions): GitRepository {
  const { directory, host, url, access, alternate, searchPath } = options
  const limits = { ...defaultLimits, ...options.limits }
  const home = join(directory, 'home')
  const repository = copyRepository(directory)
  const command: GitCommandOptions = {
    ...{ repository, home, searchPath, fileLimit: limits.pack },
    ...(alternate !== undefined && { alternate }),
  }
  const { run, expectDone, failure } = createGitRunner({ host, home, url, limits })
  let isPrepared = false
  /** Nothing has been kept in it yet. */
  let isFresh = false
  /** True: commits are fetched without files, which come when they are asked for. */
  let isPartial = true
  let lastReference = 'HEAD'
  let isSha256 = alternate !== undefined && hasSha256(host.readText(join(alternate, 'config')) ?? '')

  /** Made where there is none. What a killed git has left behind would make every later one fail. */
  async function prepare(signal: AbortSignal): Promise<void> {
    if (isPrepared && host.facts(join(repository, 'HEAD'))) return
    makeHome()
    if (host.facts(join(repository, 'HEAD'))) {
      removeLocks(repository, host)
    } else {
      removeTree(repository, host)
      const format = isSha256 ? ['--object-format=sha256'] : []
      await expectDone(localGit(['init', '--quiet', '--bare', '--template=', ...format], command), signal)
      isFresh = true
      // Where the history of the other copy begins.
      const shallow = alternate === undefined ? undefined : host.readText(join(alternate, 'shallow'))
      if (shallow !== undefined) host.writeFile(join(repository, 'shallow'), shallow, { mode: 0o600 })
    }
    writeConfig()
    isPrepared = true
  }

  function makeHome(): void {
    host.makeDirectory(directory, { mode: 0o700 })
    host.makeDirectory(home, { mode: 0o700 })
  }

  /** The server says by its ids which hash it has: the copy has to have the same. */
  function noteFormat(references: readonly RemoteReference[]): void {
    isSha256 = references.some(({ id }) => id.length === 64)
    const config = host.readText(join(repository, 'config'))
    if (config !== undefined && references.length > 0 && isSha256 !== hasSha256(config)) reset()
  }

  function reset(): boolean {
    if (isFresh) return false
    isPrepared = false
    removeTree(repository, host)
    return true
  }

  /**
   * As it is meant to be: `fetch --filter` notes in it that the remote has what is missing here, and then every reading command
   * would fetch object by object.
   */
  function writeConfig(): void {
    const path = join(repository, 'config')
    const found = host.readText(path) ?? ''
    const wanted = `[core]\n\trepositoryformatversion = ${isSha256 ? 1 : 0}\n\tbare = true\n${isSha256 ? '[extensions]\n\tobjectformat = sha256\n' : ''}`
    if (found !== wanted) host.writeFile(path, wanted, { mode: 0o600 })
  }

  async function resolve(name: string, signal: AbortSignal): Promise<string | undefined> {
    const { exitCode, stdout } = await run(
      localGit(['rev-parse', '--verify', '--quiet', `${name}^{commit}`], command),
      signal,
    )
    return exitCode === 0 ? decode(stdout).trim() : undefined
  }

  async function runFetch(
    args: readonly string[],
    signal: AbortSignal,
    { input, files = 'none' }: { input?: string; files?: string } = {},
  ): Promise<ContainedRunResult> {
    const common = ['fetch', '--quiet', '--no-tags', '--no-write-fetch-head', '--no-show-forced-updates']
    const filter = isPartial ? [`--filter=blob:${files}`] : ['--no-filter']
    const negotiation = input === undefined ? [] : ['-c', 'fetch.negotiationAlgorithm=noop']
    const git = remoteGit([...negotiation, ...common, ...filter, ...args], url, access, command)
    try {
      return await run(git, signal, { timeout: limits.fetch, ...(input !== undefined && { input }) })
    } finally {
      writeConfig()
    }
  }

  async function expectFetched(args: readonly string[], signal: AbortSignal, files?: string): Promise<void> {
    const { exitCode, stderr } = await runFetch(args, signal, files === undefined ? {} : { files })
    if (exitCode !== 0) throw failure(exitCode, stderr)
  }

  function readReference(name: string): string | undefined {
    return host.readText(join(repository, name))?.trim()
  }

  /**
   * After the copy was lost: later commits connect to the one in force only if that is there. True: it is. False: the server doesn't have it
   * any more, or gives only what a reference leads to.
   */
  async function fetchBase(commit: string, signal: AbortSignal): Promise<boolean> {
    if (readReference(current) === commit || (await resolve(commit, signal)) !== undefined) return true
    const { exitCode, stderr } = await runFetch(['--depth=1', 'origin', `+${commit}:${current}`], signal)
    if (exitCode === 0) return true
    if (/unadvertised object|not our ref|couldn't find remote ref/i.test(stderr)) return false
    throw failure(exitCode, stderr)
  }

  async function parse(output: Promise<Uint8Array>): Promise<readonly BatchAnswer[]> {
    const bytes = await output
    try {
      return parseBatch(bytes)
    } catch (error) {
      throw new SourceError('Corrupt', messageOf(error))
    }
  }

  return {
    async list(patterns, signal) {
      makeHome()
      const { repository: _none, ...anywhere } = { ...command, memoryLimit: limits.memory }
      const git = remoteGit(['ls-remote', '--symref', 'origin', 'HEAD', ...patterns], url, access, anywhere)
      const listed = parseReferences(decode(await expectDone(git, signal)))
      noteFormat(listed.references)
      return listed
    },

    async fetch(reference, base, signal) {
      await prepare(signal)
      lastReference = reference
      const isBased = base !== undefined && (await fetchBase(base, signal))
      // Later fetches are plain: exactly the new commits come, or, without the base, all of them; so it is known what descends from it.
      const depth = base === undefined ? ['--depth=1'] : []
      const files = isBased ? `limit=${smallFile}` : 'none'
      await expectFetched([...depth, 'origin', `+${reference}:${candidate}`], signal, files)
      // A branch leads to a commit itself.
      const isBranch = reference.startsWith('refs/heads/')
      const commit = (isBranch ? readReference(candidate) : undefined) ?? (await resolve(candidate, signal))
      if (commit !== undefined) return commit
      throw new SourceError('ReferenceNotFound', `${url.text}: ${reference} leads to no commit`)
    },

    async fetchAll(signal) {
      await prepare(signal)
      await expectFetched(['origin', '+refs/heads/*:refs/reeve/heads/*', '+refs/tags/*:refs/reeve/tags/*'], signal)
    },

    async find(id, signal) {
      await prepare(signal)
      return resolve(id, signal)
    },

    async fetchFiles(ids, signal) {
      if (ids.length === 0) return
      await prepare(signal)
      const { exitCode, stderr } = await runFetch(['--stdin', 'origin'], signal, { input: `${ids.join('\n')}\n` })
      if (exitCode === 0) return
      if (!/unadvertised object|not our ref/i.test(stderr)) throw failure(exitCode, stderr)
      // Plain servers, most over SSH, give only what a reference leads to.
      isPartial = false
      await expectFetched(['--refetch', '--depth=1', 'origin', `+${lastReference}:${candidate}`], signal)
    },

    async read(names, signal) {
      await prepare(signal)
      if (names.length === 0) return []
      return parse(expectDone(localGit(readObjects, command), signal, { input: `${names.join('\n')}\n` }))
    },

    async readTree(tree, signal) {
      await prepare(signal)
      const list = ['rev-list', '--objects', '--no-object-names', '--missing=print', tree]
      const answers = await parse(expectDone(pipedGit(list, readObjects, command), signal))
      // `--missing=print` marks ids.
      return answers.map(answer => ('missing' in answer ? { missing: answer.missing.replace(/^\?/, '') } : answer))
    },

    async put({ type, content }, signal) {
      await prepare(signal)
      await expectDone(localGit(['hash-object', '-t', type, '-w', '--stdin'], command), signal, { input: content })
    },

    async listCommits({ from, to, isLine, most }, signal) {
      await prepare(signal)
      const line = isLine ? ['--first-parent'] : []
      const git = localGit(['rev-list', '--topo-order', `--max-count=${most}`, ...line, to, `^${from}`], command)
      const lines = decode(await expectDone(git, signal)).split('\n')
      return lines.filter(id => id !== '').reverse()
    },

    async isAncestor(older, newer, signal) {
      await prepare(signal)
      const { exitCode, stderr } = await run(localGit(['merge-base', '--is-ancestor', older, newer], command), signal)
      if (exitCode === 0 || exitCode === 1) return exitCode === 0
      // A commit that isn't there at all has nothing to do with it.
      if (/Not a valid (?:commit|object) name|bad object/i.test(stderr)) return false
      throw failure(exitCode, stderr)
    },

    async keep(commit, signal) {
      await prepare(signal)
      host.makeDirectory(join(repository, dirname(current)), { mode: 0o700 })
      host.writeFile(join(repository, current), `${commit}\n`, { mode: 0o600 })
      isFresh = false
    },

    reset,
  }
}

function hasSha256(config: string): boolean {
  return /objectformat *= *sha256/i.test(config)
}

function decode(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes)
}
