import type { ReadHost } from '../core/contracts/host.ts'

/**
 * A host that isn't this one, and of which nothing is known: it has no files and no processes, and every user and group that is asked for
 * exists. So what is rendered for it doesn't depend on the machine that renders it.
 */
export function createElsewhereHost(host: ReadHost, userId: number): ReadHost {
  const ids = new Map([['root', 0]])
  const idOf = (name: string): number => {
    const known = ids.get(name) ?? ids.size
    ids.set(name, known)
    return known
  }
  const nothing = (): undefined => undefined
  return {
    ...host,
    readFile: nothing,
    readProtectedFile: nothing,
    findUnsafePart: nothing,
    readPart: nothing,
    readText: nothing,
    readDirectory: nothing,
    facts: nothing,
    inspectFile: nothing,
    mountPoints: () => new Set(),
    readLink: nothing,
    realPath: nothing,
    process: nothing,
    processes: () => [],
    userId: () => userId,
    groupId: () => userId,
    findUser: name => ({ uid: idOf(name), gid: idOf(name), home: `/home/${name}`, shell: '/bin/sh' }),
    findGroup: idOf,
    findUserById: nothing,
    findGroupsOf: user => new Set([user.gid]),
    isGranted: () => true,
  }
}
