import { closeSync, constants, fstatSync, lstatSync, openSync, readlinkSync, type Stats } from 'node:fs'
import { dirname, isAbsolute, join } from 'node:path'
import { isProtected, keepsEntries, type UnsafePart } from '../core/paths/path-safety.ts'
import { ReeveError } from '../core/reeve-error.ts'
import { describeUntrustedLink, isTrustedLink, linkLimit } from './target-path.ts'

/** A file descriptor that only names a place: open(2). Node doesn't list it; the value is that of all its Linux builds. */
export const O_PATH = 0o10000000

const directoryFlags = O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW

export interface WalkOptions {
  /** Called with a missing component, anchored in its parent: makes it. */
  readonly create?: (anchored: string, path: string) => void
  /** True: goes on through symlinks that others can have put there, and stops where the path ends. For those who only look. */
  readonly isSurvey?: boolean
  /** True: stops at the first part that others can change, for the caller to refuse. */
  readonly stopsAtUnsafe?: boolean
}

export interface Walked {
  /** Of the last directory, to be closed. */
  readonly fd: number
  /** The last directory, without symlinks. */
  readonly path: string
  /** The first directory or symlink that others than root and this user can change. */
  readonly unsafe: UnsafePart | undefined
  /** The last directory, if others can make entries in it, as in /tmp. */
  readonly open: UnsafePart | undefined
}

/**
 * Goes down to a directory from the root, one component at a time, each anchored in the descriptor of the one before: nobody
 * can swap what has been checked. Throws ReeveError, or the system's error.
 */
export function walkTo(path: string, options: WalkOptions = {}): Walked {
  const userId = process.geteuid?.() ?? 0
  const rest = partsOf(path)
  let links = 0
  let place = '/'
  let fd = openSync('/', directoryFlags)
  let unsafe = findUnsafe(fd, place, userId)
  try {
    for (let name = rest.shift(); name !== undefined; name = rest.shift()) {
      if (unsafe && options.stopsAtUnsafe) break
      const anchored = `/proc/self/fd/${fd}/${name}`
      const here = join(place, name)
      let facts = lstatSync(anchored, { throwIfNoEntry: false })
      if (options.isSurvey && !facts?.isDirectory() && !facts?.isSymbolicLink()) break
      if (!facts && options.create) {
        options.create(anchored, here)
        facts = lstatSync(anchored)
      }
      if (facts?.isSymbolicLink()) {
        links += 1
        if (links > linkLimit)
          throw new ReeveError('failed', `expected a directory, found too many symlinks at ${here}`)
        if (!isTrustedLink(facts, fstatSync(fd), userId)) {
          if (!options.isSurvey) throw new ReeveError('insecure', describeUntrustedLink(here))
          unsafe ??= unsafePart(here, facts)
        }
        const target = readlinkSync(anchored)
        rest.unshift(...partsOf(target))
        if (!isAbsolute(target)) continue
        fd = reopen(fd, '/')
        place = '/'
        continue
      }
      fd = reopen(fd, anchored)
      // `..` of a symlink's target.
      place = name === '..' ? dirname(place) : here
      unsafe ??= findUnsafe(fd, place, userId)
    }
    const last = fstatSync(fd)
    return { fd, path: place, unsafe, open: isProtected(last, userId) ? undefined : unsafePart(place, last) }
  } catch (error) {
    closeSync(fd)
    throw error
  }
}

function findUnsafe(fd: number, path: string, userId: number): UnsafePart | undefined {
  const facts = fstatSync(fd)
  return keepsEntries(facts, userId) ? undefined : unsafePart(path, facts)
}

export function unsafePart(path: string, { uid, gid, mode }: Stats): UnsafePart {
  return { path, uid, gid, mode }
}

function partsOf(path: string): string[] {
  return path.split('/').filter(part => part !== '' && part !== '.')
}

function reopen(previous: number, path: string): number {
  const fd = openSync(path, directoryFlags)
  closeSync(previous)
  return fd
}
