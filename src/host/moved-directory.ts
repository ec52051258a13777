import type { ReadHost } from '../core/contracts/host.ts'

/** The host as it is once a directory of this process's own, which is at `from` now, is at `to`. */
export function withMovedDirectory(host: ReadHost, from: string, to: string): ReadHost {
  const isMoved = (path: string): boolean => path === to || path.startsWith(`${to}/`)
  const now = (path: string): string => (isMoved(path) ? `${from}${path.slice(to.length)}` : path)
  return {
    ...host,
    readFile: (path, limit) => host.readFile(now(path), limit),
    readProtectedFile: (path, limit) =>
      isMoved(path) ? host.readFile(now(path), limit) : host.readProtectedFile(path, limit),
    readPart: (path, offset, length) => host.readPart(now(path), offset, length),
    readText: (path, limit) => host.readText(now(path), limit),
    readDirectory: path => host.readDirectory(now(path)),
    facts: path => host.facts(now(path)),
    inspectFile: (path, options) => host.inspectFile(now(path), options),
    readLink: path => host.readLink(now(path)),
    realPath(path) {
      const found = host.realPath(now(path))
      return found !== undefined && isMoved(path) && `${found}/`.startsWith(`${from}/`)
        ? `${to}${found.slice(from.length)}`
        : found
    },
    isGranted: (user, groups, path, rights) => host.isGranted(user, groups, now(path), rights),
  }
}
