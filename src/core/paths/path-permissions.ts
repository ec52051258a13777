import { tryTo } from '../try-to.ts'
import type { FollowPath, PathEnd } from './path-rule.ts'

/** A component of a path that others can change. */
export interface InsecurePath {
  readonly component: string
  /** Who can change it, and the remedy. */
  readonly problem: string
  /** The same, with the option that skips the check. */
  readonly message: string
}

export interface PathFacts {
  readonly kind: 'file' | 'directory' | 'symlink' | 'other'
  /** Permission bits, with sticky and set-id. */
  readonly mode: number
  readonly uid: number
}

/** Lookup in the file system; `undefined`: it doesn't exist. */
export interface PathLookup {
  facts(path: string): PathFacts | undefined
  readLink(path: string): string | undefined
}

/** The same, made of functions that throw as node:fs does. */
export interface ThrowingLookup {
  facts(path: string): PathFacts
  readLink(path: string): string
}

/** Known facts of directories, by resolved path. */
export type CheckedPaths = Map<string, InsecurePath | undefined>

const maximumLinks = 40

/**
 * Looks along an absolute path, through all its symlinks, for a component that somebody other than root or `userId`
 * could change (S1). Undefined: there is none, as far as the path exists.
 *
 * A sticky directory (such as /tmp) is passed if what follows belongs to root or to us: others can't replace that.
 */
export function findInsecurePath(
  path: string,
  lookup: PathLookup,
  userId: number,
  checked: CheckedPaths = new Map(),
): InsecurePath | undefined {
  const rest = partsOf(path).reverse()
  let resolved = ''
  let links = 0
  for (let part: string | undefined = ''; part !== undefined; part = rest.pop()) {
    if (part === '..') {
      resolved = resolved.replace(/\/[^/]*$/, '')
      continue
    }
    const component = part === '' ? '/' : `${resolved}/${part}`
    const isLast = rest.length === 0
    const key = isLast ? component : `${component}/`
    if (checked.has(key)) {
      const known = checked.get(key)
      if (known !== undefined) return known
      if (part !== '') resolved = component
      continue
    }
    const facts = lookup.facts(component)
    if (facts === undefined) return undefined
    const problem = findProblem(component, facts, [userId], isLast)
    const target = facts.kind === 'symlink' && problem === undefined ? lookup.readLink(component) : undefined
    if (target === undefined) checked.set(key, problem)
    if (problem !== undefined) return problem
    if (target === undefined) {
      if (part !== '') resolved = component
      continue
    }
    links++
    if (links > maximumLinks) return undefined
    rest.push(...partsOf(target).reverse())
    if (target.startsWith('/')) resolved = ''
  }
  return undefined
}

/**
 * Follows paths on this host as the kernel does, with what others could change about them: see `PathEnd`. For one check of
 * many paths: what was looked up is remembered. `findUser` gives the number of a user who is trusted with its own paths.
 */
export function createPathFollower(
  lookup: PathLookup,
  userId: number,
  findUser: (name: string) => number | undefined = () => undefined,
): FollowPath {
  const known = new Map<string, ReturnType<PathLookup['facts']>>()
  const facts = (path: string): ReturnType<PathLookup['facts']> => {
    if (known.has(path)) return known.get(path)
    const found = lookup.facts(path)
    known.set(path, found)
    return found
  }
  return (path, user) => {
    if (!path.startsWith('/')) return undefined
    const own = user === undefined ? undefined : findUser(user)
    return followPath(path, { facts, readLink: lookup.readLink }, own === undefined ? [userId] : [userId, own])
  }
}

function followPath(path: string, lookup: PathLookup, trusted: readonly number[]): PathEnd | undefined {
  const rest = partsOf(path).reverse()
  let directory = ''
  let entry: string | undefined
  let links = 0
  const root = lookup.facts('/')
  let change = root && findProblem('/', root, trusted, rest.length === 0)?.problem
  const finish = (end: string, writable?: string): PathEnd => ({
    entry: entry ?? end,
    end,
    ...(change !== undefined && { changeable: change }),
    ...(writable !== undefined && { writable }),
  })
  for (let part = rest.pop(); part !== undefined; part = rest.pop()) {
    if (part === '..') {
      directory = directory.replace(/\/[^/]*$/, '')
      continue
    }
    const component = `${directory}/${part}`
    // Paths below lead each process elsewhere: /proc/self/cwd, and /dev/fd through it.
    if (component.startsWith('/proc/')) return undefined
    const isLast = rest.length === 0
    // The path's own last component, not that of a link on the way.
    if (isLast) entry ??= component
    const found = lookup.facts(component)
    if (found === undefined) {
      // Who can add to the directory can make the path lead anywhere; above a missing directory nothing is known.
      if (rest.includes('..')) return undefined
      const above = lookup.facts(directory === '' ? '/' : directory)
      change ??= above && findProblem(directory === '' ? '/' : directory, above, trusted, true)?.problem
      const end = [component, ...rest.reverse()].join('/')
      entry = isLast ? entry : end
      return finish(end)
    }
    const problem = findProblem(component, found, trusted, isLast)?.problem
    const target = found.kind === 'symlink' ? lookup.readLink(component) : undefined
    if (target !== undefined) {
      change ??= problem
      links++
      if (links > maximumLinks) return undefined
      rest.push(...partsOf(target).reverse())
      if (target.startsWith('/')) directory = ''
      continue
    }
    if (found.kind !== 'directory') return isLast ? finish(component, problem) : undefined
    change ??= problem
    directory = component
  }
  return finish(directory === '' ? '/' : directory)
}

function partsOf(path: string): string[] {
  return path.split('/').filter(part => part !== '' && part !== '.')
}

function findProblem(
  component: string,
  facts: PathFacts,
  trusted: readonly number[],
  isLast: boolean,
): InsecurePath | undefined {
  const [userId = 0] = trusted
  const mode = facts.mode.toString(8).padStart(4, '0')
  const found = (problem: string): InsecurePath => {
    return { component, problem, message: `${problem}; --insecure-permissions trusts it all the same` }
  }
  if (facts.uid !== 0 && !trusted.includes(facts.uid)) {
    const owner = userId === 0 ? 'root' : `root or user ${userId}`
    return found(
      `${component} belongs to user ${facts.uid} (mode ${mode}), who could change what is run as ${owner}: chown ${userId} ${component}`,
    )
  }
  // The mode of a symlink means nothing.
  if (facts.kind === 'symlink' || (facts.mode & 0o022) === 0) return undefined
  const isSticky = facts.kind === 'directory' && (facts.mode & 0o1000) !== 0
  if (isSticky && !isLast) return undefined
  const who = (facts.mode & 0o002) !== 0 ? 'everybody' : 'its group'
  return found(`${component} can be written by ${who} (owner ${facts.uid}, mode ${mode}): chmod go-w ${component}`)
}

export function lookupIn(files: ThrowingLookup): PathLookup {
  return {
    facts: path => tryTo(() => files.facts(path)),
    readLink: path => tryTo(() => files.readLink(path)),
  }
}
