import { closeSync, constants, fstatSync, lstatSync, openSync, readlinkSync, type Stats } from 'node:fs'
import { dirname, isAbsolute, join, normalize } from 'node:path'
import { ReeveError } from '../core/reeve-error.ts'
import { createFailure } from './failure.ts'
import { describeUntrustedLink, isTrustedLink, linkLimit } from './target-path.ts'

/** A file descriptor that only names a place: open(2). Node doesn't list it; the value is that of all its Linux builds. */
const O_PATH = 0o10000000

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
}

/**
 * Opens the directory, following only symlinks that nobody but root and this user can have put there (S6): between a
 * check of the path and its use, another could swap a part of it. Throws ReeveError.
 */
export function openDirectory(path: string, options: OpenOptions = {}): OpenedDirectory {
  const wanted = normalize(path).replace(/(.)\/+$/, '$1')
  if (!isAbsolute(wanted)) throw new ReeveError('internal', `expected an absolute path, found ${path}`)
  const fd = openDirectly(wanted) ?? walk(wanted, options)
  let open = true
  return {
    fd,
    path: wanted,
    entry: name => `/proc/self/fd/${fd}/${name}`,
    [Symbol.dispose]() {
      // Closed twice, the number may by then be another's.
      if (open) closeSync(fd)
      open = false
    },
  }
}

/** The usual case: it exists, and where the descriptor leads shows that no symlink was on the way. */
function openDirectly(path: string): number | undefined {
  let fd: number
  try {
    fd = openSync(path, O_PATH | constants.O_DIRECTORY)
  } catch {
    return undefined
  }
  if (readlinkSync(`/proc/self/fd/${fd}`) === path) return fd
  closeSync(fd)
  return undefined
}

/** Goes down from the root, one component at a time, each anchored in the descriptor of the one before. */
function walk(path: string, options: OpenOptions): number {
  const flags = O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW
  const rest = path.split('/').filter(Boolean)
  let links = 0
  let place = '/'
  let fd = openSync('/', flags)
  try {
    for (let name = rest.shift(); name !== undefined; name = rest.shift()) {
      const anchored = `/proc/self/fd/${fd}/${name}`
      const here = join(place, name)
      let facts = lstatSync(anchored, { throwIfNoEntry: false })
      if (!facts && options.create) {
        options.create(anchored, here)
        facts = lstatSync(anchored)
      }
      if (facts?.isSymbolicLink()) {
        links += 1
        checkLink(here, facts, fstatSync(fd), links)
        const target = readlinkSync(anchored)
        rest.unshift(...target.split('/').filter(part => part !== '' && part !== '.'))
        if (!isAbsolute(target)) continue
        fd = reopen(fd, '/', flags)
        place = '/'
        continue
      }
      fd = reopen(fd, anchored, flags)
      // `..` of a symlink's target.
      place = name === '..' ? dirname(place) : here
    }
    return fd
  } catch (error) {
    closeSync(fd)
    throw createFailure(`open the directory ${path}`, error)
  }
}

function reopen(previous: number, path: string, flags: number): number {
  const fd = openSync(path, flags)
  closeSync(previous)
  return fd
}

function checkLink(path: string, link: Stats, directory: Stats, count: number): void {
  if (count > linkLimit) throw new ReeveError('failed', `expected a directory, found too many symlinks at ${path}`)
  if (isTrustedLink(link, directory, process.geteuid?.() ?? 0)) return
  throw new ReeveError('insecure', describeUntrustedLink(path))
}
