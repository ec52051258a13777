import { lookUp } from '../core/dictionary.ts'
import { ReeveError } from '../core/reeve-error.ts'

/** What the usual errnos mean, and what to do about them: the two halves of a message. */
const meanings: Readonly<Record<string, readonly [meaning: string, remedy: string]>> = {
  EACCES: ['permission denied', 'run Reeve as a user who may do this, or change the permissions'],
  EBUSY: ['it is in use', 'see what holds it, e.g. a mount'],
  EDQUOT: ['the disk quota is used up', 'free some space or raise the quota'],
  EEXIST: ['something of that name exists already', 'move it away'],
  EINVAL: ['the kernel refuses it as invalid', 'check the path and the file system'],
  EIO: ['the device reports an input/output error', 'check the disk'],
  EISDIR: ['it is a directory', 'remove the directory, or choose another path'],
  ELOOP: ['it is a symlink, or a chain of them without an end', 'put the file itself there'],
  EMFILE: ['this process has too many files open', 'raise its limit of open files (ulimit -n)'],
  ENAMETOOLONG: ['the name is too long', 'choose a shorter one'],
  ENFILE: ['the system has too many files open', 'raise fs.file-max'],
  ENOENT: ['there is no such file or directory', 'create it, or correct the path'],
  ENOMEM: ['there is not enough memory', 'free some'],
  ENOSPC: ['there is no space left on the device', 'free some space'],
  ENOTDIR: ['a part of the path is no directory', 'correct the path'],
  ENOTEMPTY: ['the directory is not empty', 'see what is in it'],
  ENXIO: ['it is a pipe or a device, and nothing is at its other end', 'put a regular file there'],
  EPERM: [
    'the operation is not permitted',
    'run Reeve as a user who may do this (mostly root), or choose another owner',
  ],
  EROFS: ['the file system is read-only', 'mount it writable, or choose another path'],
  ETXTBSY: ['the program is being written or run', 'try again'],
  EXDEV: ['it lies on another file system', 'choose a path on the same one'],
}

/** What keeps even root from something, where the usual words would send people to be root. */
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

/** The `code` of a Node error (`ENOENT`), also of one that a ReeveError has as its cause; else undefined. */
export function errnoOf(error: unknown): string | undefined {
  if (error instanceof ReeveError) return errnoOf(error.cause)
  if (!(error instanceof Error) || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}

/** True if the error says that the thing isn't there. */
export function isAbsence(error: unknown): boolean {
  const code = errnoOf(error)
  return code === 'ENOENT' || code === 'ENOTDIR'
}

const unwritable: ReadonlySet<string | undefined> = new Set(['ENOSPC', 'EDQUOT', 'EROFS', 'EIO'])

/** True if nobody can write there now: the disk is full, read-only or broken. */
export function isUnwritable(error: unknown): boolean {
  return unwritable.has(errnoOf(error))
}

/** `task` completes the sentence "cannot …": `write /etc/web.toml`. */
export function createFailure(task: string, error: unknown): ReeveError {
  if (error instanceof ReeveError) return error
  const code = errnoOf(error)
  const known = code === undefined ? undefined : findMeaning(code)
  const message = known
    ? `cannot ${task}: ${known[0]} (${code}); ${known[1]}`
    : `cannot ${task}: ${error instanceof Error ? error.message : String(error)}`
  return new ReeveError('failed', message, { cause: error })
}

function findMeaning(code: string): readonly [meaning: string, remedy: string] | undefined {
  const isRoot = process.geteuid?.() === 0
  return (isRoot ? lookUp(rootMeanings, code) : undefined) ?? lookUp(meanings, code)
}
