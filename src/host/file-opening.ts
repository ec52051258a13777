import { closeSync, constants, fstatSync, lstatSync, openSync, readlinkSync, type Stats } from 'node:fs'
import { basename, dirname, isAbsolute, join } from 'node:path'
import { describeUnsafePart } from '../core/paths/path-safety.ts'
import { ReeveError } from '../core/reeve-error.ts'
import { O_PATH, walkTo } from './path-walk.ts'
import { describeUntrustedLink, isTrustedLink, linkLimit } from './target-path.ts'

/** Without O_NONBLOCK, a FIFO without a writer would hold up the whole process. */
const readFlags = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY

export interface FileOpenOptions {
  /** True: others must not be able to change any directory or symlink on the way. */
  readonly isProtected?: boolean
  /** True: a symlink in the place of the file isn't followed: it is what is named. */
  readonly staysHere?: boolean
}

/**
 * Opens a file for reading, and nothing but a regular one. As root it follows only symlinks that nobody else can have put
 * there (S8): a service's user could have root read for them what they can't. Throws the system's error, or ReeveError.
 */
export function openFileForReading(path: string, options: FileOpenOptions = {}): number {
  if (options.isProtected !== true && options.staysHere !== true && trustsAll(path)) return openSync(path, readFlags)
  const named = openNamed(path, options)
  try {
    const facts = fstatSync(named)
    if (facts.isSymbolicLink()) throw new ReeveError('insecure', `cannot read ${path}: ${describeUntrustedLink(path)}`)
    // Opening a device can do something already.
    if (!facts.isFile())
      throw new ReeveError('failed', `cannot read ${path}: expected a file, found ${describeKind(facts)}`)
    return openNamedFile(named)
  } finally {
    closeSync(named)
  }
}

/**
 * A descriptor that only names what is at the path: a symlink, device or pipe too, as nothing is opened yet. To be closed; it is
 * opened for reading by `openNamedFile`.
 */
export function openNamed(path: string, options: FileOpenOptions = {}): number {
  if (options.isProtected !== true && options.staysHere === true && trustsAll(path)) {
    return openSync(path, O_PATH | constants.O_NOFOLLOW)
  }
  return openDirectly(path, options) ?? openByWalking(path, options)
}

/** `named`: of a regular file. */
export function openNamedFile(named: number): number {
  return openSync(`/proc/self/fd/${named}`, readFlags)
}

/** True if no check is needed: only root could be redirected, and not in files of the kernel. */
function trustsAll(path: string): boolean {
  return process.geteuid?.() !== 0 || path.startsWith('/proc/') || !isAbsolute(path)
}

/** The usual case: no symlink is on the way. */
function openDirectly(path: string, { isProtected = false, staysHere = false }: FileOpenOptions): number | undefined {
  if (isProtected) return undefined
  const fd = openSync(path, O_PATH | constants.O_NOFOLLOW)
  if (readlinkSync(`/proc/self/fd/${fd}`) === path && (staysHere || !fstatSync(fd).isSymbolicLink())) return fd
  closeSync(fd)
  return undefined
}

function openByWalking(path: string, options: FileOpenOptions): number {
  let wanted = path
  for (let links = 0; links <= linkLimit; links += 1) {
    const mustBeProtected = options.isProtected === true && process.geteuid?.() === 0
    const directory = walkTo(dirname(wanted), { stopsAtUnsafe: mustBeProtected })
    try {
      const unsafe = directory.unsafe ?? directory.open
      if (mustBeProtected && unsafe) {
        throw new ReeveError('insecure', `cannot read ${path} as root: ${describeUnsafePart(unsafe)}`)
      }
      const anchored = `/proc/self/fd/${directory.fd}/${basename(wanted)}`
      const facts = lstatSync(anchored)
      if (!facts.isSymbolicLink() || options.staysHere) return openSync(anchored, O_PATH | constants.O_NOFOLLOW)
      const here = join(directory.path, basename(wanted))
      if (!isTrustedLink(facts, fstatSync(directory.fd), process.geteuid?.() ?? 0)) {
        throw new ReeveError('insecure', `cannot read ${path}: ${describeUntrustedLink(here)}`)
      }
      const target = readlinkSync(anchored)
      // Not by words: the kernel takes `..` after it has followed what comes before.
      wanted = isAbsolute(target) ? target : `${directory.path}/${target}`
    } finally {
      closeSync(directory.fd)
    }
  }
  throw new ReeveError('failed', `cannot read ${path}: too many symlinks`)
}

export function describeKind(facts: Stats): string {
  if (facts.isDirectory()) return 'a directory'
  if (facts.isFIFO()) return 'a named pipe'
  if (facts.isSocket()) return 'a socket'
  return 'a device'
}
