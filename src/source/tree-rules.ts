import { join } from 'node:path'
import type { TreeEntry } from './git-object.ts'

/** What may be exported of one revision. */
export interface TreeLimits {
  readonly files: number
  /** Of all files together, in bytes. */
  readonly bytes: number
  /** How many directories may stand in one another. */
  readonly depth: number
}

export const treeLimits: TreeLimits = { files: 20_000, bytes: 256 * 1024 * 1024, depth: 32 }

export type EntryKind = 'directory' | 'file' | 'program' | 'symlink'

const kinds: ReadonlyMap<string, EntryKind> = new Map([
  ['40000', 'directory'],
  ['100644', 'file'],
  // Of repositories that were made by old tools.
  ['100664', 'file'],
  ['100755', 'program'],
  ['120000', 'symlink'],
])

/** What an entry is, or why no revision that holds it is exported. `path` is that of its directory. */
export function classifyEntry({ mode, name }: TreeEntry, path: string): { kind: EntryKind } | { problem: string } {
  if (name === undefined) return { problem: `${path || 'its top'} holds a name that is no UTF-8` }
  const whole = join(path, name)
  if (name === '' || name === '.' || name === '..' || name.includes('/') || name.toLowerCase() === '.git') {
    return { problem: `${join(path, '.')} holds an entry that is called ${JSON.stringify(name)}` }
  }
  if (Buffer.byteLength(name) > 255) return { problem: `${whole.slice(0, 80)}…: a name holds at most 255 bytes` }
  const kind = kinds.get(mode)
  if (kind !== undefined) return { kind }
  if (mode === '160000') return { problem: `${whole} is a submodule: put its manifests into this repository` }
  return { problem: `${whole} has the mode ${mode}, which is neither a file's nor a symlink's` }
}

/**
 * Why a symlink isn't exported: it can lead out of what is. Undefined: it stays inside. `path` is its own. Where `..` stands only at its
 * beginning, it leads up through real directories; behind a name, which may be a symlink, it could lead anywhere.
 */
export function findLinkProblem(path: string, target: string): string | undefined {
  const parts = target.split('/').filter(part => part !== '' && part !== '.')
  const steps = parts.findIndex(part => part !== '..')
  const ups = steps === -1 ? parts.length : steps
  if (target.includes('\0') || parts.length === 0) return `the symlink ${path} leads nowhere that can be exported`
  const isOutside = target.startsWith('/') || ups >= path.split('/').length || parts.slice(ups).includes('..')
  return isOutside ? `the symlink ${path} leads out of the exported tree, to ${target}` : undefined
}
