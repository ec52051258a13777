import { addTo } from '../../../src/core/list-map.ts'
import { readFolders, readLinks, type UnitLink } from './unit-links.ts'
import type { UnitSearchPath } from './unit-search-path.ts'

/** Effects of starts and stops on other units, through any number of units in between. */
export interface UnitGraph {
  /** Units that start with these, now or as they end, each with the reason. */
  startedBy(units: ReadonlySet<string>): ReadonlyMap<string, string>
  /** Units that are stopped as these start, and the other way round. */
  stoppedBy(units: ReadonlySet<string>): ReadonlyMap<string, string>
  /** Units whose stop stops these. */
  followedBy(units: ReadonlySet<string>): ReadonlyMap<string, string>
  /** Units that are enabled and disabled with these. */
  enabledWith(units: ReadonlySet<string>): ReadonlyMap<string, string>
}

export interface GraphOptions {
  readonly disk: UnitSearchPath
  nameOf(unit: string): string
  /** Enablement declared by its facility; without one, by the existing links. */
  isEnabled(unit: string): boolean
  isStale(folder: string, unit: string): boolean
}

type Lists = Map<string, UnitLink[]>

/** Links of these units and of all that they lead to. */
export function readGraph(units: readonly string[], { disk, nameOf, isEnabled, isStale }: GraphOptions): UnitGraph {
  const from = new Map<string, Lists>()
  const to = new Map<string, Lists>()
  const seen = new Set<string>()
  const open = units.map(nameOf)
  for (let unit = open.pop(); unit !== undefined; unit = open.pop()) {
    if (seen.has(unit)) continue
    seen.add(unit)
    const links = [...readLinks(unit, isEnabled(unit), disk), ...readFolders(unit, disk, isStale)]
    for (const link of links) {
      const known = { ...link, from: nameOf(link.from), to: nameOf(link.to) }
      note(from, known.from, known)
      note(to, known.to, known)
      // Units that start it are not affected by it.
      if (known.from === unit) open.push(known.to)
    }
  }

  const linksFrom = (unit: string, kind: UnitLink['kind']): readonly UnitLink[] => from.get(unit)?.get(kind) ?? []
  const linksTo = (unit: string, kind: UnitLink['kind']): readonly UnitLink[] => to.get(unit)?.get(kind) ?? []

  /** All reachable units, with the path; the first is `start` itself. */
  function reach(start: ReadonlyMap<string, string>, next: (unit: string) => readonly Reached[]): Map<string, string> {
    const found = new Map(start)
    // Iteration over a Map includes entries added meanwhile.
    for (const [unit, how] of found) {
      for (const one of next(unit)) {
        if (!found.has(one.unit)) found.set(one.unit, how === '' ? one.how : `${how}, ${one.how}`)
      }
    }
    return found
  }

  const began = (some: ReadonlySet<string>): Map<string, string> => new Map([...some].map(unit => [unit, '']))
  const onwards = (unit: string, kind: UnitLink['kind']): Reached[] =>
    linksFrom(unit, kind).map(link => ({ unit: link.to, how: link.how }))
  const backwards = (unit: string, kind: UnitLink['kind']): Reached[] =>
    linksTo(unit, kind).map(link => ({ unit: link.from, how: link.how }))

  return {
    startedBy: some => reach(began(some), unit => [...onwards(unit, 'starts'), ...onwards(unit, 'starts-late')]),
    followedBy: some => reach(began(some), unit => onwards(unit, 'stops-with')),
    stoppedBy(some) {
      // A unit that is started only as another ends is meant to replace it.
      const started = reach(began(some), unit => onwards(unit, 'starts'))
      const stopped = new Map<string, string>()
      for (const [unit, how] of started) {
        for (const one of [...onwards(unit, 'conflicts'), ...backwards(unit, 'conflicts')]) {
          if (!stopped.has(one.unit)) stopped.set(one.unit, how === '' ? one.how : `${how}, ${one.how}`)
        }
      }
      return reach(stopped, unit => backwards(unit, 'stops-with'))
    },
    enabledWith: some => reach(began(some), unit => onwards(unit, 'enables')),
  }
}

interface Reached {
  readonly unit: string
  readonly how: string
}

function note(index: Map<string, Lists>, unit: string, link: UnitLink): void {
  const lists = index.get(unit) ?? new Map<string, UnitLink[]>()
  addTo(lists, link.kind, link)
  index.set(unit, lists)
}
