import { randomBytes } from 'node:crypto'
import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fsyncSync,
  openSync,
  readdirSync,
  renameSync,
  unlinkSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import type { FileOptions } from '../core/contracts/host.ts'
import type { Perform } from './effects.ts'
import { errnoOf } from './failure.ts'
import type { OpenedDirectory } from './opened-directory.ts'
import { readProcessFacts } from './process-facts.ts'

/** A name is at most 255 bytes; the rest is for the target's name, cut where it is longer. */
const shownLength = 150

/** `.reeve-NAME-PID-RANDOM.tmp`: a dotfile whose ending no supervisor's include glob matches (S7). */
const temporaryPattern = /^\.reeve-.*-(\d+)-[0-9a-f]{12}\.tmp$/

/**
 * Replaces a file in one step (S7). Whoever looks sees the old file or the new one, whole, with its owner and mode. The
 * directory is an open one, so that a path swapped under us can't lead the write elsewhere (S6).
 */
export function writeFileAtomically(
  directory: OpenedDirectory,
  name: string,
  content: Uint8Array | string,
  options: FileOptions,
  perform: Perform,
): void {
  const temporaryName = createTemporaryName(name)
  const temporary = directory.entry(temporaryName)
  try {
    perform('write-temporary', join(directory.path, temporaryName), () => writeTemporary(temporary, content, options))
    perform('rename', join(directory.path, name), () => renameSync(temporary, directory.entry(name)))
  } catch (error) {
    removeQuietly(temporary)
    throw error
  }
  if (!options.isFleeting) perform('sync-directory', directory.path, () => syncDirectory(directory))
}

/** `token`: what its random part of twelve digits begins with. */
export function createTemporaryName(name: string, token = ''): string {
  // Cut by bytes; a character cut in half becomes a replacement character, which is as good.
  const shown = Buffer.from(name).subarray(0, shownLength).toString()
  return `.reeve-${shown}-${process.pid}-${token}${randomBytes(6).toString('hex').slice(token.length)}.tmp`
}

export const temporaryFlags: number = constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW | constants.O_WRONLY

function writeTemporary(path: string, content: Uint8Array | string, options: FileOptions): void {
  const fd = openSync(path, temporaryFlags, 0o600)
  try {
    fillTemporary(fd, content, options)
    if (!options.isFleeting) fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

export function fillTemporary(fd: number, content: Uint8Array | string, { mode, uid, gid }: FileOptions): void {
  writeAll(fd, typeof content === 'string' ? Buffer.from(content) : content)
  // Before the mode: a change of owner clears the set-user-id bits.
  if (uid !== undefined || gid !== undefined) fchownSync(fd, uid ?? -1, gid ?? -1)
  fchmodSync(fd, mode)
}

/** One write(2) may take less than it was given. */
export function writeAll(fd: number, content: Uint8Array): void {
  let offset = 0
  while (offset < content.length) offset += writeSync(fd, content, offset)
}

function syncDirectory(directory: OpenedDirectory): void {
  // The descriptor that we hold only names the place, and can't be synced.
  const fd = openSync(directory.entry('.'), constants.O_RDONLY | constants.O_DIRECTORY)
  try {
    fsyncSync(fd)
  } catch (error) {
    if (!isUnsyncable(error)) throw error
  } finally {
    closeSync(fd)
  }
}

/** Some network file systems can't sync a directory, and need not. */
export function isUnsyncable(error: unknown): boolean {
  return errnoOf(error) === 'EINVAL' || errnoOf(error) === 'ENOTSUP'
}

/**
 * Removes the temporary dotfiles of writes that a crash cut off, here or in another process that is no more. A write is
 * never under way in this process when this is called: one file is written by a synchronous call, and a directory where
 * many are, is written to by nobody else meanwhile.
 */
export function removeLeftovers(directory: OpenedDirectory, perform: Perform): void {
  for (const name of readdirSync(directory.entry('.'))) {
    const writer = temporaryPattern.exec(name)?.[1]
    if (writer === undefined || isOther(Number(writer))) continue
    perform('remove-file', join(directory.path, name), () => removeQuietly(directory.entry(name)))
  }
}

/** True if it is another live process, which may still be writing. */
function isOther(pid: number): boolean {
  return pid !== process.pid && readProcessFacts(pid) !== undefined
}

export function removeQuietly(path: string): void {
  try {
    unlinkSync(path)
  } catch {
    // Already removed, or can't be: the caller's own error says more.
  }
}
