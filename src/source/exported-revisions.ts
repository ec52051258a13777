import { join } from 'node:path'
import type { ScratchHost } from '../host/scratch.ts'
import type { GitRepository } from './git-repository.ts'
import { removeTree } from './removal.ts'
import { exportRevision } from './revision-export.ts'
import { manifestsLink } from './source-place.ts'

/** How many revisions besides the needed ones are kept on the disk. */
const keptRevisions = 5

/** Exported revisions, a directory each, and the symlink that leads to the one in force. */
export interface ExportedRevisions {
  directoryOf(commit: string): string
  has(commit: string): boolean
  add(revision: { readonly commit: string; readonly tree: string }, signal: AbortSignal): Promise<void>
  switchTo(commit: string): void
  /** Removes the oldest besides those needed, and what a crash has left behind. */
  sweep(needed: ReadonlySet<string>): void
}

/** `directory`: of the source. */
export function createExportedRevisions(
  directory: string,
  repository: GitRepository,
  host: ScratchHost,
): ExportedRevisions {
  const revisions = join(directory, 'revisions')
  const directoryOf = (commit: string): string => join(revisions, commit)

  return {
    directoryOf,
    has: commit => host.facts(directoryOf(commit))?.kind === 'directory',
    async add({ commit, tree }, signal) {
      host.makeDirectory(revisions, { mode: 0o700 })
      const inForce = host.readLink(manifestsLink(directory))
      const like = inForce === undefined ? {} : { like: join(directory, inForce) }
      await exportRevision(repository, { tree, directory: directoryOf(commit), ...like }, host, signal)
    },
    switchTo(commit) {
      const link = manifestsLink(directory)
      const target = join('revisions', commit)
      if (host.readLink(link) === target) return
      const fresh = `${link}.next`
      host.removeFile(fresh)
      host.makeLink(fresh, target)
      host.moveFile(fresh, link)
    },
    sweep(needed) {
      const found = (host.readDirectory(revisions) ?? []).filter(name => !needed.has(name))
      const age = (name: string): number => host.facts(directoryOf(name))?.changed ?? 0
      const kept = found
        .filter(name => /^[0-9a-f]+$/.test(name))
        .sort((left, right) => age(right) - age(left))
        .slice(0, keptRevisions)
      for (const name of found) if (!kept.includes(name)) removeTree(directoryOf(name), host)
    },
  }
}
