import { join, resolve, sep } from 'node:path'
import { messageOf } from '../../core/reeve-error.ts'
import { compareText } from '../../core/text/text-order.ts'
import type { DiagnosticCode } from '../diagnostics/diagnostic-code.ts'
import type { DirectoryEntry, FileReading, ManifestFiles } from './manifest-files.ts'

/**
 * A directory of manifests as it is at one moment. git-sync and ConfigMaps publish by swapping a symlink: the root is
 * resolved once, everything is read below what it resolves to, and `isUnchanged` tells afterwards whether it was one
 * state that was read.
 */
export interface ManifestTree extends Listing {
  /** With all symlinks resolved. */
  readonly root: string
  /** Takes a resolved path. Throws as node:fs does. */
  readFile(path: string, limit: number): FileReading
  /** True if nothing that was read has changed since. */
  isUnchanged(): boolean
}

export interface ListedFile {
  /** Below the root, as found: symlinks kept. */
  readonly path: string
  readonly realPath: string
}

/** An entry that can't be read; of a directory, all that is below it is missing. */
export interface ListingProblem {
  readonly path: string
  readonly code: DiagnosticCode
  readonly message: string
}

export interface MissingRoot {
  readonly code: DiagnosticCode
  readonly message: string
}

/** Most entries of a directory tree. */
const maximumFiles = 20_000

/** Message for a missing directory: which one, what named it, what to do. */
export function missingDirectory(directory: string, origin: string | undefined): string {
  const from = origin === undefined ? '' : ` (${origin})`
  return `manifests directory ${resolve(directory)}${from} does not exist; nothing was changed. Create it, or name another one with --manifests DIR`
}

/** `missing`: what to say where the directory doesn't exist. */
export function openManifestTree(directory: string, files: ManifestFiles, missing: string): ManifestTree | MissingRoot {
  let root: string
  try {
    root = files.realPath(directory)
    if (files.facts(root).kind !== 'directory') {
      return {
        code: 'directory-unreadable',
        message: 'not a directory; name the directory that holds the manifests',
      }
    }
  } catch (error) {
    return hasCode(error, 'ENOENT')
      ? { code: 'directory-missing', message: missing }
      : { code: 'directory-unreadable', message: `cannot be read: ${reasonOf(error)}` }
  }
  const listing = list(root, files)
  const signatures = new Map<string, string>()
  return {
    root,
    ...listing,
    readFile(path, limit) {
      const reading = files.readFile(path, limit)
      signatures.set(path, reading.signature)
      return reading
    },
    isUnchanged() {
      try {
        if (files.realPath(directory) !== root) return false
        if (JSON.stringify(list(root, files)) !== JSON.stringify(listing)) return false
        for (const [path, signature] of signatures) if (files.facts(path).signature !== signature) return false
        return true
      } catch {
        return false
      }
    },
  }
}

export function isMissing(snapshot: ManifestTree | MissingRoot): snapshot is MissingRoot {
  return 'code' in snapshot
}

/** Whether `path` is `root` or below it. Both are resolved. */
export function isInside(path: string, root: string): boolean {
  return path === root || path.startsWith(root.endsWith(sep) ? root : root + sep)
}

interface Listing {
  /** Sorted by path. */
  readonly files: readonly ListedFile[]
  /** Resolved paths of all directories that were searched. */
  readonly directories: readonly string[]
  readonly problems: readonly ListingProblem[]
}

interface Visit {
  readonly path: string
  readonly realPath: string
}

/** Visits each directory once, real ones before linked ones, so links can't form a cycle. */
function list(root: string, files: ManifestFiles): Listing {
  const found: ListedFile[] = []
  const problems: ListingProblem[] = []
  const seen = new Set<string>()
  const next: Visit[] = [{ path: '', realPath: root }]
  const linked: Visit[] = []
  for (let visit = next.pop(); visit !== undefined; visit = next.pop() ?? linked.shift()) {
    if (seen.has(visit.realPath)) continue
    seen.add(visit.realPath)
    let entries: readonly DirectoryEntry[]
    try {
      entries = files.readDirectory(visit.realPath)
    } catch (error) {
      problems.push({
        path: visit.path,
        code: 'directory-unreadable',
        message: `cannot be read: ${reasonOf(error)}`,
      })
      continue
    }
    for (const entry of entries.toSorted((a, b) => compareText(a.name, b.name))) {
      if (/^[.#_]/.test(entry.name)) continue
      const path = visit.path === '' ? entry.name : `${visit.path}/${entry.name}`
      const target = follow(path, join(visit.realPath, entry.name), entry, root, files)
      if (target === undefined) continue
      if ('code' in target) problems.push(target)
      else if (target.kind === 'file') found.push({ path, realPath: target.realPath })
      else if (entry.kind === 'symlink') linked.push({ path, realPath: target.realPath })
      else next.push({ path, realPath: target.realPath })
    }
    if (found.length > maximumFiles) {
      problems.push({ path: '', code: 'too-many-files', message: `more than ${maximumFiles} manifest files` })
      break
    }
  }
  found.sort((a, b) => compareText(a.path, b.path))
  return { files: found, directories: [...seen], problems }
}

interface ResolvedFacility {
  readonly kind: 'file' | 'directory'
  readonly realPath: string
}

/** Kind of an entry, through symlinks. Undefined: neither file nor directory. */
function follow(
  path: string,
  entryPath: string,
  entry: DirectoryEntry,
  root: string,
  files: ManifestFiles,
): ResolvedFacility | ListingProblem | undefined {
  const isNamed = isManifestName(entry.name)
  let kind = entry.kind
  let realPath = entryPath
  if (kind === 'symlink' || kind === 'other') {
    try {
      realPath = files.realPath(entryPath)
      kind = files.facts(realPath).kind
    } catch (error) {
      if (!isNamed) return undefined
      return { path, code: 'file-unreadable', message: `the link leads nowhere: ${reasonOf(error)}` }
    }
    const isWanted = kind === 'directory' || isNamed
    if (isWanted && !isInside(realPath, root)) {
      return {
        path,
        code: 'link-outside',
        message: 'the link leads out of the manifests directory: copy what it leads to',
      }
    }
  }
  if (kind === 'directory') return { kind, realPath }
  if (!isNamed) return undefined
  if (kind === 'file') return { kind, realPath }
  return { path, code: 'file-unreadable', message: 'neither a file nor a directory' }
}

function isManifestName(name: string): boolean {
  return /\.(ya?ml|json)$/.test(name)
}

export function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && Reflect.get(error, 'code') === code
}

/** Error text of the file system without the path, which the diagnostic has. */
export function reasonOf(error: unknown): string {
  if (hasCode(error, 'ENOENT')) return 'there is no such file'
  if (hasCode(error, 'EACCES')) return 'permission denied'
  return hasCode(error, 'ELOOP') ? 'links that lead in a circle' : messageOf(error)
}
