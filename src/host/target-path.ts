import { isAbsolute, join, normalize } from 'node:path'
import { type DirectoryFacts, isOwnedBy, keepsEntries } from '../core/path-safety.ts'
import type { FileFacts, ReadHost } from '../core/provider.ts'

/** As many symlinks in one path as the kernel follows. */
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

/**
 * Why a file can't be managed at this path: undefined if it can be. The target may be missing; its directory may not.
 * `WriteHost.writeFile` refuses untrusted symlinks as well, at the moment of writing; this is for saying so beforehand.
 */
export function findTargetProblem(path: string, host: ReadHost): string | undefined {
  if (!isAbsolute(path) || normalize(path) !== path || path.endsWith('/')) {
    return `expected an absolute path without "." and "..", found ${path}`
  }
  const parts = path.split('/').filter(Boolean)
  const name = parts.pop()
  if (name === undefined) return 'expected a file, found the root directory'
  const parent = findParent(parts, host)
  return typeof parent === 'string' ? parent : findEntryProblem(path, host.facts(join(parent.path, name)))
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
