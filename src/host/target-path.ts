import { isAbsolute, join, normalize } from 'node:path'
import type { FileFacts, ReadHost } from '../core/contracts/host.ts'
import type { UserIdentity } from '../core/model/user-identity.ts'
import { type DirectoryFacts, describeUnsafePart, isOwnedBy, keepsEntries } from '../core/paths/path-safety.ts'
import { findUnsafeDirectory, findWriteProblem } from './file-actor.ts'

/** Most symlinks in a path, as the kernel has it. */
export const linkLimit = 40

/**
 * Whether a symlink on the way to a file may be followed (S6): root or this user owns it, and nobody else can have put it into the
 * directory that it is in.
 */
export function isTrustedLink(link: DirectoryFacts, directory: DirectoryFacts, userId: number): boolean {
  return isOwnedBy(link.uid, userId) && keepsEntries(directory, userId)
}

/** What is wrong with a link that isn't trusted, and what to do. */
export function describeUntrustedLink(path: string): string {
  return `${path} is a symlink that others can replace; use the real path, or give the link and its directory to root alone`
}

export interface TargetPathOptions {
  /** Whose rights the file is written with; absent: Reeve's own. */
  readonly actAs?: UserIdentity | undefined
  /** `ReadHost.mountPoints`, where many paths are judged. */
  readonly mountPoints?: ReadonlySet<string>
}

/**
 * Why a file can't be managed at this path: undefined if it can be. The target may be missing; its directory may not.
 * `WriteHost` refuses untrusted symlinks and directories as well, at the moment of writing; this is for saying so beforehand.
 */
export function findTargetProblem(path: string, host: ReadHost, options: TargetPathOptions = {}): string | undefined {
  if (!isAbsolute(path) || normalize(path) !== path || path.endsWith('/')) {
    return `expected an absolute path without "." and "..", found ${path}`
  }
  const parts = path.split('/').filter(Boolean)
  const name = parts.pop()
  if (name === undefined) return 'expected a file, found the root directory'
  const parent = findParent(parts, host)
  if (typeof parent === 'string') return parent
  const entry = join(parent.path, name)
  return (
    findEntryProblem(path, host.facts(entry)) ??
    findMountProblem(entry, options.mountPoints ?? host.mountPoints()) ??
    findRightsProblem(path, host, options.actAs)
  )
}

/** What is mounted there can be neither replaced nor removed: the kernel says EBUSY. */
export function findMountProblem(path: string, mountPoints: ReadonlySet<string>): string | undefined {
  if (!mountPoints.has(path)) return undefined
  return `${path} is a mount point of its own, so it can't be replaced; mount its directory instead, or write the file where it is mounted from`
}

/** S8: root works only where nobody else can lead it elsewhere; else a user does, who can write there. */
function findRightsProblem(path: string, host: ReadHost, actAs: UserIdentity | undefined): string | undefined {
  if (actAs) return findWriteProblem(path, actAs, host)
  const unsafe = findUnsafeDirectory(path, host)
  if (!unsafe) return undefined
  return `${describeUnsafePart(unsafe)}; or declare as owner of the file, or as user of the process, the user who may write there: then it is written with their rights`
}

function findEntryProblem(path: string, facts: FileFacts | undefined): string | undefined {
  if (!facts || facts.kind === 'file') return undefined
  if (facts.kind === 'symlink') return `${path} is a symlink; name the file that it leads to, or remove the link`
  if (facts.kind === 'directory') return `${path} is a directory; remove it, or choose another path`
  return `${path} is a device, pipe or socket; choose another path`
}

/** Follows the path down to the directory that it names; a string is the problem. */
function findParent(parts: readonly string[], host: ReadHost): { readonly path: string } | string {
  const rest = [...parts]
  let path = '/'
  let links = 0
  for (let name = rest.shift(); name !== undefined; name = rest.shift()) {
    const next = join(path, name)
    const facts = host.facts(next)
    if (!facts) return `the directory ${next} does not exist; create it, or correct the path`
    if (facts.kind === 'directory') {
      path = next
      continue
    }
    const target = facts.kind === 'symlink' ? host.readLink(next) : undefined
    if (target === undefined) return `${next} is no directory; correct the path`
    const directory = host.facts(path)
    if (!directory || !isTrustedLink(facts, directory, host.userId())) return describeUntrustedLink(next)
    links += 1
    if (links > linkLimit) return `${next} is one of too many symlinks; use the real path`
    rest.unshift(...target.split('/').filter(part => part !== '' && part !== '.'))
    if (isAbsolute(target)) path = '/'
  }
  return { path }
}
