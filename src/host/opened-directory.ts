import { closeSync, constants, fstatSync, openSync, readlinkSync, type Stats, statSync } from 'node:fs'
import { isAbsolute, normalize } from 'node:path'
import { describeUnsafePart, isProtected, keepsEntries, type UnsafePart } from '../core/paths/path-safety.ts'
import { ReeveError } from '../core/reeve-error.ts'
import { createFailure } from './failure.ts'
import { O_PATH, unsafePart, walkTo } from './path-walk.ts'

/** A directory held by a descriptor: what is done at `entry(name)` stays in it, whatever happens to its path meanwhile. */
export interface OpenedDirectory extends Disposable {
  readonly fd: number
  readonly path: string
  /** A path for system calls, through the descriptor. */
  entry(name: string): string
}

export interface OpenOptions {
  /** Called with a missing component, anchored in its parent: makes it. Absent: that is an error. */
  readonly create?: (anchored: string, path: string) => void
  /**
   * True: others must not be able to make entries in it either, so a sticky directory such as /tmp won't do. For what opens
   * or makes files there under names that others can guess.
   */
  readonly isExclusive?: boolean
}

/** The kernel takes no longer path, of one letter and a slash each. */
const depthLimit = 2_048

/**
 * Opens the directory for root to work in, or for whoever this process runs as (S6, S8). It follows only symlinks that
 * nobody but root and this user can have put there. As root it refuses every path of which others can change a part: they
 * could lead what root does elsewhere, before the check or after it. What is checked is what was opened. Throws ReeveError.
 */
export function openDirectory(path: string, options: OpenOptions = {}): OpenedDirectory {
  const wanted = normalize(path).replace(/(.)\/+$/, '$1')
  if (!isAbsolute(wanted)) throw new ReeveError('internal', `expected an absolute path, found ${path}`)
  const fd = openDirectly(wanted, options) ?? openByWalking(wanted, options)
  let open = true
  return {
    fd,
    path: wanted,
    entry: name => `/proc/self/fd/${fd}/${name}`,
    [Symbol.dispose]() {
      // A second close could close another file with the same number.
      if (open) closeSync(fd)
      open = false
    },
  }
}

/**
 * The first part on the way to the directory that others than root and this user can change; undefined if there is none, as far
 * as the path exists. For those who only look: `openDirectory` checks again what it opens.
 */
export function findUnsafePart(path: string, { isExclusive = false }: OpenOptions = {}): UnsafePart | undefined {
  const { fd, unsafe, open } = walkTo(path, { isSurvey: true })
  closeSync(fd)
  return unsafe ?? (isExclusive ? open : undefined)
}

/** The usual case: it exists, and where the descriptor leads shows that no symlink was on the way. */
function openDirectly(path: string, options: OpenOptions): number | undefined {
  let fd: number
  try {
    fd = openSync(path, O_PATH | constants.O_DIRECTORY)
  } catch {
    return undefined // it is opened part by part, which says why it can't be
  }
  try {
    if (readlinkSync(`/proc/self/fd/${fd}`) === path) {
      refuse(path, isRoot() ? findUnsafeAbove(fd, path, options) : undefined)
      return fd
    }
  } catch (error) {
    closeSync(fd)
    throw createFailure(`open the directory ${path}`, error, { path })
  }
  closeSync(fd)
  return undefined
}

function openByWalking(path: string, { create, isExclusive = false }: OpenOptions): number {
  try {
    const { fd, unsafe, open } = walkTo(path, { stopsAtUnsafe: isRoot(), ...(create && { create }) })
    try {
      refuse(path, isRoot() ? (unsafe ?? (isExclusive ? open : undefined)) : undefined)
      return fd
    } catch (error) {
      closeSync(fd)
      throw error
    }
  } catch (error) {
    throw createFailure(`open the directory ${path}`, error, { path })
  }
}

/**
 * Goes up from the opened directory. Where only root can change it and all that it is in, nobody else can have moved it there,
 * nor can anybody move it now.
 */
function findUnsafeAbove(fd: number, path: string, { isExclusive = false }: OpenOptions): UnsafePart | undefined {
  let anchored = `/proc/self/fd/${fd}`
  let facts: Stats = fstatSync(fd)
  if (isExclusive && !isProtected(facts, 0)) return unsafePart(path, facts)
  for (let depth = 0; depth < depthLimit; depth += 1) {
    if (!keepsEntries(facts, 0)) return unsafePart(nameOf(anchored, path), facts)
    anchored = `${anchored}/..`
    const above = statSync(anchored)
    // The root directory is its own parent.
    if (above.ino === facts.ino && above.dev === facts.dev) return undefined
    facts = above
  }
  throw new ReeveError('failed', `expected fewer directories above ${path}`)
}

/** Where an opened directory is now, for people. */
function nameOf(anchored: string, path: string): string {
  const fd = openSync(anchored, O_PATH | constants.O_DIRECTORY)
  try {
    return readlinkSync(`/proc/self/fd/${fd}`)
  } catch {
    return path
  } finally {
    closeSync(fd)
  }
}

function isRoot(): boolean {
  return process.geteuid?.() === 0
}

function refuse(path: string, unsafe: UnsafePart | undefined): void {
  if (unsafe) throw new ReeveError('insecure', `cannot work in ${path} as root: ${describeUnsafePart(unsafe)}`)
}
