import { closeSync, fstatSync, lstatSync, readdirSync, readlinkSync, readSync, realpathSync, type Stats } from 'node:fs'
import type { FileFacts, FilePart, InspectedFile, ReadHost } from '../core/contracts/host.ts'
import { ReeveError } from '../core/reeve-error.ts'
import { createFailure, errnoOf, isAbsence } from './failure.ts'
import { describeKind, type FileOpenOptions, openFileForReading, openNamed, openNamedFile } from './file-opening.ts'

const defaultLimit = 16 * 1024 * 1024

/** See `ReadHost.readFile`, and `readProtectedFile` with `isProtected`. */
export function readFileBytes(
  path: string,
  limit: number = defaultLimit,
  options: FileOpenOptions = {},
): Uint8Array | undefined {
  let fd: number | undefined
  try {
    fd = openFileForReading(path, options)
    const facts = fstatSync(fd)
    if (!facts.isFile()) {
      throw new ReeveError('failed', `cannot read ${path}: expected a file, found ${describeKind(facts)}`)
    }
    return readAll(fd, path, facts.size, limit)
  } catch (error) {
    // /proc says ESRCH for a process that has just ended.
    if (isAbsence(error) || errnoOf(error) === 'ESRCH') return undefined
    throw createFailure(`read ${path}`, error, { path })
  } finally {
    if (fd !== undefined) closeSync(fd)
  }
}

/** See `ReadHost.readPart`. */
export function readFilePart(path: string, offset: number, length: number): FilePart | undefined {
  let fd: number | undefined
  try {
    fd = openFileForReading(path, {})
    const facts = toFileFacts(fstatSync(fd))
    return { facts, content: readBytes(fd, offset, Math.max(0, Math.min(length, facts.size - offset))) }
  } catch (error) {
    if (isAbsence(error)) return undefined
    throw createFailure(`read ${path}`, error, { path })
  } finally {
    if (fd !== undefined) closeSync(fd)
  }
}

/** Reads up to this many bytes from an offset. */
function readBytes(fd: number, offset: number, length: number): Uint8Array {
  const content = Buffer.alloc(length)
  return content.subarray(0, readSync(fd, content, 0, length, offset))
}

/** Reads to the end, whatever the size says: files in /proc say 0, and others may grow meanwhile. */
function readAll(fd: number, path: string, size: number, limit: number): Uint8Array {
  let buffer = Buffer.allocUnsafe(Math.min(size, limit) + 512)
  let length = 0
  for (;;) {
    const room = buffer.length - length
    const count = readSync(fd, buffer, length, room, null)
    length += count
    if (length > limit) throw tooLarge(path, limit, size)
    // A short read is the end, except in files that the kernel generates.
    if (count === 0 || (size > 0 && count < room)) return buffer.subarray(0, length)
    if (length === buffer.length) buffer = Buffer.concat([buffer, Buffer.allocUnsafe(buffer.length)])
  }
}

function tooLarge(path: string, limit: number, size: number): ReeveError {
  return new ReeveError('failed', `cannot read ${path}: expected at most ${limit} bytes, found ${size || 'more'}`)
}

/** See `ReadHost.readDirectory`. */
export function readDirectoryNames(path: string): string[] | undefined {
  try {
    return readdirSync(path).sort()
  } catch (error) {
    if (isAbsence(error)) return undefined
    throw createFailure(`list ${path}`, error, { path })
  }
}

/** See `ReadHost.facts`. */
export function readFileFacts(path: string): FileFacts | undefined {
  try {
    const facts = lstatSync(path, { throwIfNoEntry: false })
    return facts && toFileFacts(facts)
  } catch (error) {
    if (isAbsence(error)) return undefined
    throw createFailure(`look at ${path}`, error, { path })
  }
}

/** See `ReadHost.inspectFile`. */
export function inspectFile(
  path: string,
  { limit = defaultLimit, tail, mayRead = () => true }: NonNullable<Parameters<ReadHost['inspectFile']>[1]> = {},
): InspectedFile | undefined {
  let named: number | undefined
  let fd: number | undefined
  try {
    named = openNamed(path, { staysHere: true })
    const facts = toFileFacts(fstatSync(named))
    if (facts.kind !== 'file' || !mayRead(facts)) return { facts }
    if (tail === undefined && facts.size > limit) throw tooLarge(path, limit, facts.size)
    // The same file: a descriptor names it.
    fd = openNamedFile(named)
    if (tail !== undefined) return { facts, content: readBytes(fd, Math.max(0, facts.size - tail), tail) }
    return { facts, content: readAll(fd, path, facts.size, limit) }
  } catch (error) {
    if (isAbsence(error)) return undefined
    throw createFailure(`read ${path}`, error, { path })
  } finally {
    if (fd !== undefined) closeSync(fd)
    if (named !== undefined) closeSync(named)
  }
}

/** Undefined too if it is there and no symlink. */
export function readLinkTarget(path: string): string | undefined {
  try {
    return readlinkSync(path)
  } catch (error) {
    if (isAbsence(error) || errnoOf(error) === 'EINVAL') return undefined
    throw createFailure(`read the link ${path}`, error, { path })
  }
}

export function resolveRealPath(path: string): string | undefined {
  try {
    return realpathSync.native(path)
  } catch (error) {
    if (isAbsence(error)) return undefined
    throw createFailure(`resolve ${path}`, error, { path })
  }
}

function toFileFacts(facts: Stats): FileFacts {
  return {
    kind: kindOf(facts),
    mode: facts.mode & 0o7777,
    uid: facts.uid,
    gid: facts.gid,
    size: facts.size,
    device: facts.dev,
    inode: facts.ino,
    modified: facts.mtimeMs,
    changed: facts.ctimeMs,
  }
}

function kindOf(facts: Stats): FileFacts['kind'] {
  if (facts.isFile()) return 'file'
  if (facts.isDirectory()) return 'directory'
  return facts.isSymbolicLink() ? 'symlink' : 'other'
}
