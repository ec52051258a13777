import { dirname, join, resolve } from 'node:path'
import type { ReadHost } from '../core/contracts/host.ts'
import { count } from '../core/text/count-text.ts'
import type { ScratchHost } from '../host/scratch.ts'
import { localGit } from './git-command.ts'
import type { GitRepository } from './git-repository.ts'
import type { RevisionFinder } from './revision-finder.ts'
import { SourceError } from './source-error.ts'

/** A repository with a working tree, which somebody else keeps: only its objects and references are read. */
export interface Checkout {
  /** Directory of the working tree, absolute. */
  readonly top: string
  /** Has HEAD and the references; in a linked working tree, its own. */
  readonly gitDirectory: string
  /** Has the objects: that of the whole repository. */
  readonly commonDirectory: string
}

/** The checkout that a directory is in. Undefined: it is in none. */
export function findCheckout(directory: string, host: ReadHost): Checkout | undefined {
  for (let top = directory; ; top = dirname(top)) {
    const entry = join(top, '.git')
    const kind = host.facts(entry)?.kind
    if (kind === 'directory') return { top, gitDirectory: entry, commonDirectory: entry }
    if (kind === 'file') return readLinked(top, entry, host)
    if (top === dirname(top)) return undefined
  }
}

/** A linked working tree, or a submodule. */
function readLinked(top: string, entry: string, host: ReadHost): Checkout | undefined {
  const [, path] = /^gitdir: (.+)\n*$/.exec(host.readText(entry) ?? '') ?? []
  if (path === undefined) return undefined
  const gitDirectory = resolve(top, path)
  const common = host.readText(join(gitDirectory, 'commondir'))?.trim() ?? '.'
  return { top, gitDirectory, commonDirectory: resolve(gitDirectory, common) }
}

/** The repository for reading a checkout: what a partial clone lacks isn't fetched through it. */
export function limitToCheckout(repository: GitRepository, { top }: Checkout): GitRepository {
  return {
    ...repository,
    async fetchFiles(ids) {
      if (ids.length === 0) return
      throw new SourceError(
        'FetchFailed',
        `the repository in ${top} lacks ${count(ids.length, 'file')} of it, as a partial clone does: clone it without --filter`,
      )
    },
  }
}

/** Commits of a checkout, by whatever name git knows: `HEAD~1` too. A branch that is only at `origin` needs no prefix. */
export function createCheckoutFinder(
  { top, gitDirectory }: Checkout,
  { host, home, searchPath }: { readonly host: ScratchHost; readonly home: string; readonly searchPath: string },
): RevisionFinder {
  return async (revision, _base, signal) => {
    const names = revision.startsWith('-') ? [] : [revision, `refs/remotes/origin/${revision}`]
    for (const name of names) {
      const { command, environment } = localGit(['rev-parse', '--verify', '--quiet', `${name}^{commit}`], {
        repository: gitDirectory,
        home,
        searchPath,
        fileLimit: 0,
      })
      const limits = { timeout: 60_000, outputLimit: 64 * 1024 }
      const { exitCode, stdout } = await host.runContained(command, { environment, directory: home, signal, ...limits })
      const commit = new TextDecoder().decode(stdout).trim()
      if (exitCode === 0) return { commit, reference: revision, referenceId: commit }
    }
    throw new SourceError(
      'ReferenceNotFound',
      `the repository in ${top} has no commit ${revision}: fetch it first, such as with git fetch origin ${revision}`,
    )
  }
}
