import { dirname, join } from 'node:path'
import type { ScratchHost } from '../host/scratch.ts'
import type { BatchAnswer, GitObject, TreeEntry } from './git-object.ts'
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
  return parseCommit(expectObject(objectsOf(await repository.read([commit], signal)), commit, 'commit'))
}

/** Reads a commit and finds the directory of its manifests. Throws SourceError `ReferenceNotFound` where it has no directory `path`. */
export async function readCommit(
  repository: GitRepository,
  { commit, path }: { readonly commit: string; readonly path: string },
  signal: AbortSignal,
): Promise<CommitReading> {
  const parts = path.split('/').filter(word => word !== '' && word !== '.')
  const way = ['', ...parts].map((_, depth) => `${commit}:${parts.slice(0, depth).join('/')}`)
  const objects = objectsOf(await repository.read([commit, ...way], signal))
  const facts = parseCommit(expectObject(objects, commit, 'commit'))
  let tree = facts.tree
  for (const part of parts) {
    const entries = parseTree(expectObject(objects, tree, 'tree'))
    const entry = entries.find(({ name, mode }) => name === part && mode === '40000')
    if (!entry) {
      throw new SourceError(
        'ReferenceNotFound',
        `commit ${commit.slice(0, 12)} has no directory ${path}; correct \`path\``,
      )
    }
    tree = entry.id
  }
  return { facts, tree }
}

/**
 * Writes the directory of a commit's manifests into a directory of that name, byte for byte, through no worktree, attribute or filter. The
 * directory appears under its name when it is whole. Every object is checked against its id, from the commit down. `like`: an earlier export,
 * which has most of the files already.
 *
 * Throws SourceError: `TreeRefused` for what isn't exported, `TooLarge`.
 */
export async function exportRevision(
  repository: GitRepository,
  { tree, directory, like }: { readonly tree: string; readonly directory: string; readonly like?: string },
  host: ScratchHost,
  signal: AbortSignal,
): Promise<void> {
  const objects = objectsOf(await repository.readTree(tree, signal))
  const entries = listEntries(objects, tree)
  const contents = await readContents(repository, entries, objects, signal)
  const partial = `${directory}.partial`
  removeTree(partial, host)
  host.makeDirectory(partial, { mode: 0o700 })
  for (const entry of entries)
    if (entry.kind === 'directory') host.makeDirectory(join(partial, entry.path), { mode: 0o700 })
  await writeContents({ root: partial, like }, entries, contents, host)
  removeTree(directory, host)
  host.moveFile(partial, directory)
}

type Objects = ReadonlyMap<string, GitObject>

function objectsOf(answers: readonly BatchAnswer[]): Map<string, GitObject> {
  return new Map(answers.flatMap(answer => ('type' in answer ? [[answer.id, answer]] : [])))
}

function expectObject(objects: Objects, id: string, type: GitObject['type']): GitObject {
  const found = objects.get(id)
  if (found?.type === type) return found
  throw new SourceError('Corrupt', `the local copy of the repository lacks ${type} ${id}`)
}

/** All that is in the tree, level by level: no object is looked at more often than it stands somewhere. */
function listEntries(objects: Objects, root: string): ExportedEntry[] {
  const entries: ExportedEntry[] = []
  let level: { readonly path: string; readonly id: string }[] = [{ path: '', id: root }]
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > treeLimits.depth) {
      throw new SourceError('TreeRefused', `directories stand in one another more than ${treeLimits.depth} deep`)
    }
    const next: typeof level = []
    for (const { path, id } of level) {
      for (const entry of parseTree(expectObject(objects, id, 'tree'))) {
        const found = accept(entry, path)
        entries.push(found)
        if (found.kind === 'directory') next.push(found)
      }
      if (entries.length > treeLimits.files) {
        throw new SourceError(
          'TreeRefused',
          `there are more than ${treeLimits.files} files; name a directory in \`path\``,
        )
      }
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

/** What is missing is fetched first: the repository has been fetched without files, or without large ones. */
async function readContents(
  repository: GitRepository,
  entries: readonly ExportedEntry[],
  objects: Objects,
  signal: AbortSignal,
): Promise<Objects> {
  const wanted = [...new Set(entries.flatMap(({ kind, id }) => (kind === 'directory' ? [] : [id])))]
  const missing = wanted.filter(id => !objects.has(id))
  await repository.fetchFiles(missing, signal)
  const contents = new Map([...objects, ...objectsOf(await repository.read(missing, signal))])
  const bytes = wanted.reduce((sum, id) => sum + (contents.get(id)?.content.byteLength ?? 0), 0)
  if (bytes > treeLimits.bytes) {
    throw new SourceError('TooLarge', `its files are larger than ${treeLimits.bytes / 1024 / 1024} MiB together`)
  }
  return contents
}

/** Directory by directory, links last: nothing is written through one. */
async function writeContents(
  { root, like }: { readonly root: string; readonly like: string | undefined },
  entries: readonly ExportedEntry[],
  contents: Objects,
  host: ScratchHost,
): Promise<void> {
  const byDirectory = new Map<string, { path: string; content: Uint8Array; mode: number }[]>()
  const links: { readonly path: string; readonly target: string }[] = []
  for (const { path, kind, id } of entries) {
    if (kind === 'directory') continue
    const blob = expectObject(contents, id, 'blob')
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
  for (const [directory, files] of byDirectory) {
    await host.writeFiles(like === undefined ? files : host.reuseFiles(join(like, directory), files))
  }
  for (const { path, target } of links) host.makeLink(join(root, path), target)
}
