/** Owner and mode of a directory, as stat(2) gives them. `mode` may hold the file type too. */
export interface DirectoryFacts {
  readonly uid: number
  readonly gid: number
  readonly mode: number
}

/** A directory or symlink on the way to a path that others than root and Reeve's user can change. */
export interface UnsafePart extends DirectoryFacts {
  readonly path: string
}

const stickyBit = 0o1000

/**
 * True if only root and `userId` can add, replace and remove entries of the directory. No group counts as root: a service can have
 * the group root, as all do in some containers.
 */
export function isProtected({ uid, mode }: DirectoryFacts, userId: number): boolean {
  return isOwnedBy(uid, userId) && (mode & 0o022) === 0
}

/**
 * True if only root and `userId` can replace an entry that belongs to one of them. Others may make new entries where the
 * directory is sticky, as /tmp is.
 */
export function keepsEntries(directory: DirectoryFacts, userId: number): boolean {
  if (isProtected(directory, userId)) return true
  return isOwnedBy(directory.uid, userId) && (directory.mode & stickyBit) !== 0
}

/** Root's, or the user's own. */
export function isOwnedBy(uid: number, userId: number): boolean {
  return uid === 0 || uid === userId
}

/** Which part others can change, and the remedy, for people. */
export function describeUnsafePart({ path, uid, gid, mode }: UnsafePart): string {
  const bits = (mode & 0o7777).toString(8).padStart(4, '0')
  const found = `${path} (owner ${uid}, group ${gid}, mode ${bits})`
  if (uid !== 0) {
    return `${found} belongs to user ${uid}, who could lead root elsewhere; give it to root (chown root ${path}), or use a directory that only root can write`
  }
  if ((mode & 0o002) !== 0) {
    return `${found} can be written by everybody, who could lead root elsewhere; take that right away (chmod o-w ${path}), or use a directory that only root can write`
  }
  return `${found} can be written by group ${gid}, which could lead root elsewhere; take that right away (chmod g-w ${path}), or use a directory that only root can write`
}
