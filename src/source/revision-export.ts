import { dirname, join } from 'node:path'
import type { ScratchHost } from '../host/scratch.ts'
import type { GitObject, TreeEntry } from './git-object.ts'
import { type CommitFacts, parseCommit, parseTree } from './git-object.ts'
import type { GitRepository } from './git-repository.ts'
import { removeTree } from './removal.ts'
import { SourceError } from './source-error.ts'
import { classifyEntry, type EntryKind, findLinkProblem, treeLimits } from './tree-rules.ts'

interface ExportedEntry {
  /** Below the exported directory. */
  readonly path: string
  readonly kind: EntryKind
  readonly id: string
}

/** A commit, and the directory of its manifests. */
export interface CommitReading {
  readonly facts: CommitFacts
  /** Id of the tree at the path: equal content has equal ids. */
  readonly tree: string
}

export async function readFacts(repository: GitRepository, commit: string, signal: AbortSignal): Promise<CommitFacts> {
  return parseCommit(await readObject(repository, commit, 'commit', signal))
}

/** Reads a commit and finds the directory of its manifests. Throws SourceError `ReferenceNotFound` where it has no directory `path`. */
export async function readCommit(
  repository: GitRepository,
  { commit, path }: { readonly commit: string; readonly path: string },
  signal: AbortSignal,
): Promise<CommitReading> {
  const facts = await readFacts(repository, commit, signal)
  return { facts, tree: await findDirectory(repository, { commit, path, tree: facts.tree }, signal) }
}

/**
 * Writes the directory of a commit's manifests into a directory of that name, byte for byte, through no worktree, attribute or filter. The
 * directory appears under its name when it is whole. Every object is checked against its id, from the commit down.
 *
 * Throws SourceError: `TreeRefused` for what isn't exported, `TooLarge`.
 */
export async function exportRevision(
  repository: GitRepository,
  { tree, directory }: { readonly tree: string; readonly directory: string },
  host: ScratchHost,
  signal: AbortSignal,
): Promise<void> {
  const entries = await listEntries(repository, tree, signal)
  const contents = await readContents(repository, entries, signal)
  const partial = `${directory}.partial`
  removeTree(partial, host)
  host.makeDirectory(partial, { mode: 0o700 })
  for (const entry of entries)
    if (entry.kind === 'directory') host.makeDirectory(join(partial, entry.path), { mode: 0o700 })
  await writeContents(partial, entries, contents, host)
  removeTree(directory, host)
  host.moveFile(partial, directory)
}

async function findDirectory(
  repository: GitRepository,
  { commit, path, tree }: { readonly commit: string; readonly path: string; readonly tree: string },
  signal: AbortSignal,
): Promise<string> {
  let found = tree
  for (const part of path.split('/').filter(word => word !== '' && word !== '.')) {
    const entries = parseTree(await readObject(repository, found, 'tree', signal))
    const entry = entries.find(({ name, mode }) => name === part && mode === '40000')
    if (!entry) {
      throw new SourceError(
        'ReferenceNotFound',
        `commit ${commit.slice(0, 12)} has no directory ${path}; correct \`path\``,
      )
    }
    found = entry.id
  }
  return found
}

async function readObject(
  repository: GitRepository,
  id: string,
  type: GitObject['type'],
  signal: AbortSignal,
): Promise<GitObject> {
  const [answer] = await repository.read([id], signal)
  if (answer && 'type' in answer && answer.type === type) return answer
  throw new SourceError('Corrupt', `the local copy of the repository lacks ${type} ${id}`)
}

/** All that is in the tree, level by level: one command each. */
async function listEntries(repository: GitRepository, root: string, signal: AbortSignal): Promise<ExportedEntry[]> {
  const entries: ExportedEntry[] = []
  let level: { readonly path: string; readonly id: string }[] = [{ path: '', id: root }]
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > treeLimits.depth) {
      throw new SourceError('TreeRefused', `directories stand in one another more than ${treeLimits.depth} deep`)
    }
    const trees = await readAll(
      repository,
      level.map(({ id }) => id),
      signal,
    )
    const next: typeof level = []
    level.forEach(({ path, id }) => {
      const tree = trees.get(id)
      if (tree?.type !== 'tree') throw new SourceError('Corrupt', `the local copy of the repository lacks tree ${id}`)
      for (const entry of parseTree(tree)) {
        const found = accept(entry, path)
        entries.push(found)
        if (found.kind === 'directory') next.push(found)
      }
    })
    if (entries.length > treeLimits.files) {
      throw new SourceError(
        'TreeRefused',
        `there are more than ${treeLimits.files} files; name a directory in \`path\``,
      )
    }
    level = next
  }
  return entries
}

function accept(entry: TreeEntry, directory: string): ExportedEntry {
  const found = classifyEntry(entry, directory)
  if ('problem' in found) throw new SourceError('TreeRefused', found.problem)
  return { path: join(directory, entry.name ?? ''), kind: found.kind, id: entry.id }
}

/** What is missing is fetched first: the repository has been fetched without files. */
async function readContents(
  repository: GitRepository,
  entries: readonly ExportedEntry[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, GitObject>> {
  const wanted = [...new Set(entries.flatMap(({ kind, id }) => (kind === 'directory' ? [] : [id])))]
  const found = await repository.read(wanted, signal)
  const missing = found.flatMap(answer => ('missing' in answer ? [answer.missing] : []))
  await repository.fetchFiles(missing, signal)
  const contents = await readAll(repository, wanted, signal)
  let bytes = 0
  for (const { content } of contents.values()) bytes += content.byteLength
  if (bytes > treeLimits.bytes) {
    throw new SourceError('TooLarge', `its files are larger than ${treeLimits.bytes / 1024 / 1024} MiB together`)
  }
  return contents
}

async function readAll(
  repository: GitRepository,
  ids: readonly string[],
  signal: AbortSignal,
): Promise<Map<string, GitObject>> {
  const objects = new Map<string, GitObject>()
  for (const answer of await repository.read(ids, signal)) if ('type' in answer) objects.set(answer.id, answer)
  return objects
}

/** Directory by directory, links last: nothing is written through one. */
async function writeContents(
  root: string,
  entries: readonly ExportedEntry[],
  contents: ReadonlyMap<string, GitObject>,
  host: ScratchHost,
): Promise<void> {
  const byDirectory = new Map<string, { path: string; content: Uint8Array; mode: number }[]>()
  const links: { readonly path: string; readonly target: string }[] = []
  for (const { path, kind, id } of entries) {
    if (kind === 'directory') continue
    const blob = contents.get(id)
    if (blob?.type !== 'blob') throw new SourceError('Corrupt', `the local copy of the repository lacks blob ${id}`)
    if (kind === 'symlink') {
      const target = new TextDecoder().decode(blob.content)
      const problem = findLinkProblem(path, target)
      if (problem !== undefined) throw new SourceError('TreeRefused', problem)
      links.push({ path, target })
      continue
    }
    const directory = dirname(path)
    const files = byDirectory.get(directory) ?? []
    byDirectory.set(directory, files)
    files.push({ path: join(root, path), content: blob.content, mode: kind === 'program' ? 0o700 : 0o600 })
  }
  for (const files of byDirectory.values()) await host.writeFiles(files)
  for (const { path, target } of links) host.makeLink(join(root, path), target)
}
