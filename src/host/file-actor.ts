import { dirname } from 'node:path'
import type { FileFacts, ReadHost } from '../core/contracts/host.ts'
import type { UserIdentity } from '../core/model/user-identity.ts'
import type { UnsafePart } from '../core/paths/path-safety.ts'

/**
 * With whose rights a file is written and removed where others than root can change its directory (S8): root doesn't work
 * there, as they could lead it elsewhere. A user can only lead themselves elsewhere.
 */

/** The first part on the way to the file's directory that others can change; undefined if Reeve may work there itself. */
export function findUnsafeDirectory(path: string, host: ReadHost): UnsafePart | undefined {
  return host.userId() === 0 ? host.findUnsafePart(dirname(path)) : undefined
}

/** Why the user can't make and remove entries in the file's directory; undefined if they can, or there is none. */
export function findWriteProblem(path: string, user: UserIdentity, host: ReadHost): string | undefined {
  const directory = host.realPath(dirname(path))
  const facts = directory === undefined ? undefined : host.facts(directory)
  if (!facts || mayWrite(user, facts, host)) return undefined
  const mode = facts.mode.toString(8).padStart(4, '0')
  return `user ${user.name} can't write to ${directory} (owner ${facts.uid}, group ${facts.gid}, mode ${mode}); give them that right, or declare a file in a directory that only root can write`
}

function mayWrite(user: UserIdentity, { uid, gid, mode }: FileFacts, host: ReadHost): boolean {
  if (uid === user.uid) return (mode & 0o300) === 0o300
  const isMember = gid === user.gid || ((mode & 0o020) !== 0 && host.findGroupsOf(user).has(gid))
  return isMember ? (mode & 0o030) === 0o030 : (mode & 0o003) === 0o003
}

/**
 * Who removes a file that no manifest declares any more: whoever's directory it is, else whoever's file. `nobody`: it can't be
 * removed safely. Undefined: Reeve does it itself.
 */
export function findRemover(path: string, { uid }: FileFacts, host: ReadHost): UserIdentity | 'nobody' | undefined {
  if (!findUnsafeDirectory(path, host)) return undefined
  const directory = host.realPath(dirname(path))
  const owner = directory === undefined ? undefined : host.facts(directory)?.uid
  for (const id of [owner, uid]) {
    const user = id === undefined || id === 0 ? undefined : host.findUserById(id)
    if (user && findWriteProblem(path, user, host) === undefined) return user
  }
  return 'nobody'
}
