import { userInfo } from 'node:os'
import { lookUp } from '../core/dictionary.ts'
import { ReeveError } from '../core/reeve-error.ts'
import { findMount } from './mount-points.ts'

/** Meaning of the usual errnos, and their remedy: the two halves of a message. */
const meanings: Readonly<Record<string, readonly [meaning: string, remedy: string]>> = {
  EACCES: ['permission denied', 'run Reeve as a user who may do this, or change the permissions'],
  EBUSY: ['it is in use', 'see what holds it, e.g. a mount'],
  EEXIST: ['something of that name exists already', 'move it away'],
  EINVAL: ['the kernel refuses it as invalid', 'check the path and the file system'],
  EISDIR: ['it is a directory', 'remove the directory, or choose another path'],
  ELOOP: ['it is a symlink, or a chain of them without an end', 'put the file itself there'],
  EMFILE: ['this process has too many files open', 'raise its limit of open files (ulimit -n)'],
  ENAMETOOLONG: ['the name is too long', 'choose a shorter one'],
  ENFILE: ['the system has too many files open', 'raise fs.file-max'],
  ENOENT: ['there is no such file or directory', 'create it, or correct the path'],
  ENOMEM: ['there is not enough memory', 'free some'],
  ENOTDIR: ['a part of the path is no directory', 'correct the path'],
  ENOTEMPTY: ['the directory is not empty', 'see what is in it'],
  ENXIO: ['it is a pipe or a device, and nothing is at its other end', 'put a regular file there'],
  EPERM: [
    'the operation is not permitted',
    'run Reeve as a user who may do this (mostly root), or choose another owner',
  ],
  ETXTBSY: ['the program is being written or run', 'try again'],
  EXDEV: ['it lies on another file system', 'choose a path on the same one'],
}

/** Causes that stop even root, where the usual remedy would be to be root. */
const rootMeanings: typeof meanings = {
  EACCES: [
    'permission denied, even to root',
    'see whether SELinux or AppArmor forbids it, whether it lies on a network file system (NFS with root_squash), or whether root lacks capabilities here, as in a container',
  ],
  EPERM: [
    'the operation is not permitted, even to root',
    'see with lsattr -d whether it or its directory is immutable or append-only (chattr -i -a takes that away), or whether root lacks capabilities here, as in a container',
  ],
}

/** Path and user of the attempt; absent: unknown, and this process's user. */
export interface Attempted {
  readonly path?: string
  readonly user?: string
}

/** Problem of the file system of a path that can't be written. */
const diskMeanings: Readonly<Record<string, (attempted: Attempted) => (typeof meanings)[string]>> = {
  EDQUOT: ({ path, user = ownName() }) => [
    `the disk quota of user ${user} is used up`,
    `free some of that user's space on the file system ${placeOf(path)}, or raise the quota (edquota)`,
  ],
  EIO: ({ path }) => [
    'the device reports an input/output error',
    `check the disk of the file system ${placeOf(path)}: dmesg and smartctl -a tell more`,
  ],
  ENOSPC: ({ path }) => [
    'there is no space left on the device',
    `free some space on the file system ${placeOf(path)} (df and df -i tell of space and files)`,
  ],
  EROFS: ({ path }) => [
    'the file system is read-only',
    `make it writable (mount -o remount,rw ${findMount(path)?.point ?? 'PLACE'}; dmesg tells whether an error has made it so), or choose another path`,
  ],
}

/** Errors as tools and shells print them: GNU's words, and those of musl where they differ. */
const systemWords: readonly (readonly [RegExp, keyof typeof diskMeanings])[] = [
  [/(disk )?quota exceeded/i, 'EDQUOT'],
  [/input\/output error|i\/o error/i, 'EIO'],
  [/no space left on device/i, 'ENOSPC'],
  [/read-only file system/i, 'EROFS'],
]

function placeOf(path: string | undefined): string {
  const point = findMount(path)?.point
  return point === undefined ? 'that it lies on' : `at ${point}`
}

function ownName(): string {
  try {
    return userInfo().username
  } catch {
    return String(process.geteuid?.())
  }
}

/** The `code` of a Node error (`ENOENT`), also of one that a ReeveError has as its cause; else undefined. */
export function errnoOf(error: unknown): string | undefined {
  if (error instanceof ReeveError) return errnoOf(error.cause)
  if (!(error instanceof Error) || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}

/** True if the error says that the thing isn't there. A name that no file system takes (`UNIT.d` of a long one) is nobody's. */
export function isAbsence(error: unknown): boolean {
  const code = errnoOf(error)
  return code === 'ENOENT' || code === 'ENOTDIR' || code === 'ENAMETOOLONG'
}

/** True if nobody can write there now: the disk is full, read-only or broken. */
export function isUnwritable(error: unknown): boolean {
  const code = errnoOf(error)
  return code !== undefined && lookUp(diskMeanings, code) !== undefined
}

/** `task` completes the sentence "cannot …": `write /etc/web.toml`. */
export function createFailure(task: string, error: unknown, attempted: Attempted = {}): ReeveError {
  if (error instanceof ReeveError) return error
  const code = errnoOf(error)
  const known = code === undefined ? undefined : explainErrno(code, attempted)
  return new ReeveError(
    'failed',
    `cannot ${task}: ${known ?? (error instanceof Error ? error.message : String(error))}`,
    {
      cause: error,
    },
  )
}

/** Meaning and remedy of an errno; undefined if unknown. */
export function explainErrno(code: string, attempted: Attempted = {}): string | undefined {
  const isRoot = process.geteuid?.() === 0
  const words =
    lookUp(diskMeanings, code)?.(attempted) ??
    (isRoot ? lookUp(rootMeanings, code) : undefined) ??
    lookUp(meanings, code)
  return words && `${words[0]} (${code}); ${words[1]}`
}

/**
 * What a shell or tool has said of a disk that is full, read-only or broken, with what to do about it; else as it is. What isn't known
 * of where it was tried, and as whom, is taken from its own words.
 */
export function explainComplaint(said: string, attempted: Attempted = {}): string {
  const [words, code] = systemWords.find(([pattern]) => pattern.test(said)) ?? []
  if (!words || code === undefined) return said
  const [, path] = / (\/\S*[^\s:])/.exec(said) ?? []
  const [, user] = /\buser ([\w.-]+)/.exec(said) ?? []
  const where = { ...(path !== undefined && { path }), ...(user !== undefined && { user }), ...attempted }
  return said.replace(words, explainErrno(code, where) ?? '')
}
