import type { FileFacts, ReadHost } from '../core/contracts/host.ts'
import type { UserIdentity } from '../core/model/user-identity.ts'

type Right = 'r' | 'w' | 'x'

const bits: Readonly<Record<Right, number>> = { r: 4, w: 2, x: 1 }

/** Whose rights a service has; `gid` is its group, and `moreGroups` are those that its user isn't in. */
export interface RightsOf extends UserIdentity {
  readonly moreGroups?: ReadonlySet<number>
}

/** Whether that user may use the file or directory so, in directories that they can go through. */
export function may(path: string, facts: FileFacts, user: RightsOf, rights: readonly Right[], host: ReadHost): boolean {
  const { uid, gid, mode, kind } = facts
  const wanted = rights.reduce((sum, right) => sum | bits[right], 0)
  if (user.uid === 0) return (wanted & bits.x) === 0 || kind === 'directory' || (mode & 0o111) !== 0
  if (uid === user.uid) return ((mode >> 6) & wanted) === wanted
  if (gid === user.gid || user.moreGroups?.has(gid)) return ((mode >> 3) & wanted) === wanted
  if ((mode & wanted) === wanted) return true
  // What is left is a group that the user is in besides, or an access list: it shows as rights of the group.
  if (((mode | (mode >> 3)) & wanted) !== wanted) return false
  const groups = new Set([...host.findGroupsOf(user), ...(user.moreGroups ?? [])])
  return groups.has(gid) || host.isGranted(user, groups, path, rights)
}

/** The first directory on the way that the user can't go through, in words. `directory` is there. */
export function findClosedDirectory(directory: string, user: RightsOf, host: ReadHost): string | undefined {
  const parts = (host.realPath(directory) ?? directory).split('/').filter(part => part !== '')
  for (let count = 1; count <= parts.length; count += 1) {
    const path = `/${parts.slice(0, count).join('/')}`
    const facts = host.facts(path)
    if (facts?.kind !== 'directory') continue
    if (!may(path, facts, user, ['x'], host)) return `${describeFacts(path, facts)} is closed to that user`
  }
  return undefined
}

/** The path with owner, group and mode. */
export function describeFacts(path: string, { uid, gid, mode }: FileFacts): string {
  return `${path} (owner ${uid}, group ${gid}, mode ${(mode & 0o7777).toString(8).padStart(4, '0')})`
}
