import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  realpathSync,
  type Stats,
} from 'node:fs'
import type { PathFacts, ThrowingLookup } from '../../core/paths/path-permissions.ts'

/** File system of the loader. All methods throw as node:fs does. */
export interface ManifestFiles extends ThrowingLookup {
  readDirectory(path: string): readonly DirectoryEntry[]
  /** Undefined if it is larger than `limit` bytes. Throws for anything but a regular file. Follows no symlink. */
  readFile(path: string, limit: number): FileReading
  /** Facts of the path itself; symlinks aren't followed. */
  facts(path: string): SignedFacts
  realPath(path: string): string
}

export interface DirectoryEntry {
  readonly name: string
  readonly kind: PathFacts['kind']
}

export interface SignedFacts extends PathFacts {
  /** Differs once the file was written, replaced, or changed its owner or mode. */
  readonly signature: string
}

export interface FileReading {
  /** Undefined: larger than the limit. */
  readonly content: Uint8Array | undefined
  readonly signature: string
}

/** The file system of this machine. */
export const localFiles: ManifestFiles = {
  readDirectory(path) {
    return readdirSync(path, { withFileTypes: true }).map(entry => ({ name: entry.name, kind: kindOf(entry) }))
  },
  readFile: readRegularFile,
  facts(path) {
    return factsOf(lstatSync(path))
  },
  readLink(path) {
    return readlinkSync(path)
  },
  realPath(path) {
    return realpathSync.native(path)
  },
}

/** Opening a named pipe without O_NONBLOCK would block for ever. */
const readFlags = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW

function readRegularFile(path: string, limit: number): FileReading {
  const descriptor = openSync(path, readFlags)
  try {
    const stats = fstatSync(descriptor)
    if (!stats.isFile()) throw new Error('it is not a regular file')
    const { signature } = factsOf(stats)
    if (stats.size > limit) return { content: undefined, signature }
    const content = readUpTo(descriptor, limit, stats.size)
    return { content, signature }
  } finally {
    closeSync(descriptor)
  }
}

/** Content, undefined if larger than `limit`: the file may have grown since its size was read. */
function readUpTo(descriptor: number, limit: number, expected: number): Uint8Array | undefined {
  let buffer = Buffer.allocUnsafe(expected + 1)
  let length = 0
  for (;;) {
    const count = readSync(descriptor, buffer, length, buffer.length - length, null)
    if (count === 0) return new Uint8Array(buffer.subarray(0, length))
    length += count
    if (length > limit) return undefined
    if (length === buffer.length) buffer = Buffer.concat([buffer], buffer.length * 2)
  }
}

function factsOf(stats: Stats): SignedFacts {
  const { dev, ino, size, mtimeMs, ctimeMs } = stats
  return {
    kind: kindOf(stats),
    mode: stats.mode & 0o7777,
    uid: stats.uid,
    signature: `${dev}:${ino}:${size}:${mtimeMs}:${ctimeMs}`,
  }
}

function kindOf(entry: { isFile(): boolean; isDirectory(): boolean; isSymbolicLink(): boolean }): PathFacts['kind'] {
  if (entry.isFile()) return 'file'
  if (entry.isDirectory()) return 'directory'
  return entry.isSymbolicLink() ? 'symlink' : 'other'
}
