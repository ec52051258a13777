import { basename, dirname, join, resolve } from 'node:path'
import type { ReadHost } from '../core/contracts/host.ts'
import type { PlaceFinder } from '../core/state/place.ts'
import { tryTo } from '../core/try-to.ts'
import { isTrustedLink } from './target-path.ts'

type Lookup = Pick<ReadHost, 'facts' | 'readLink' | 'userId'>

/**
 * For one look: what was found is remembered. It tells what is one, for plans and messages; whoever writes opens the way anew and
 * checks it there (S8). As there, only symlinks are followed that nobody else can have put there: a service's user could make a
 * file of theirs lead to that of another facility, which would then be held up.
 */
export function createPlaceFinder(host: Lookup): PlaceFinder {
  const known = new Map<string, string>()
  /** By device and inode: the first name under which each directory was met. */
  const names = new Map<string, string>()

  function directory(path: string): string {
    const before = known.get(path)
    if (before !== undefined) return before
    known.set(path, path) // for links that lead round in a circle
    const place = find(path)
    known.set(path, place)
    return place
  }

  function find(path: string): string {
    const parent = dirname(path)
    const here = parent === path ? path : entry(path)
    const facts = factsOf(here)
    // Of what isn't there, the deepest directory that is counts.
    if (!facts) return here
    if (facts.kind === 'symlink') return follow(here) ?? here
    const identity = `${facts.device}:${facts.inode}`
    const name = names.get(identity) ?? here
    names.set(identity, name)
    return name
  }

  function follow(here: string): string | undefined {
    const above = dirname(here)
    const [facts, around] = [factsOf(here), factsOf(above)]
    if (!facts || !around || !isTrustedLink(facts, around, host.userId())) return undefined
    const target = tryTo(() => host.readLink(here)) // what can't be inspected is compared by its name
    return target === undefined ? undefined : directory(resolve(above, target))
  }

  function entry(path: string): string {
    return join(directory(dirname(path)), basename(path))
  }

  function factsOf(path: string): ReturnType<Lookup['facts']> {
    return tryTo(() => host.facts(path))
  }

  return { entry, directory }
}
