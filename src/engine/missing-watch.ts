import { dirname, isAbsolute } from 'node:path'
import type { Facility } from '../core/facility.ts'
import { filesOfCheck } from '../core/policy-files.ts'
import type { ReadHost } from '../core/provider.ts'

/** Hints that something which a facility needs, and which was missing on the host, is there now. */
export interface MissingWatch {
  /** Watches for what these miss from now on, and for nothing else. */
  follow(facilities: Iterable<Facility>): void
  [Symbol.dispose](): void
}

/** Paths that are missing, with the facilities that miss them. */
type Missing = ReadonlyMap<string, ReadonlySet<string>>

/** `hint`: with the name of the facility. What nobody tells of, the regular looks find. */
export function createMissingWatch(host: ReadHost, hint: (facility: string) => void): MissingWatch {
  /** By directory. */
  const watches = new Map<string, Disposable>()
  let missing: Missing = new Map()

  function notice(): void {
    const there = [...missing].filter(([path]) => isThere(path, host))
    missing = new Map([...missing].filter(([path]) => !there.some(([found]) => found === path)))
    for (const name of new Set(there.flatMap(([, names]) => [...names]))) hint(name)
  }

  function follow(facilities: Iterable<Facility>): void {
    // What came since the last look is told of now: the event that will tell of it finds nothing missing.
    notice()
    missing = findMissing(facilities, host)
    const wanted = new Set([...missing.keys()].map(path => dirname(path)))
    for (const [directory, watch] of [...watches]) {
      if (wanted.has(directory)) continue
      watch[Symbol.dispose]()
      watches.delete(directory)
    }
    const fresh = [...wanted].filter(directory => !watches.has(directory))
    for (const directory of fresh) watches.set(directory, host.watch(directory, notice))
    // What was made between the look and the watch would be missed.
    if (fresh.length > 0) notice()
  }

  return {
    follow,
    [Symbol.dispose]() {
      for (const watch of watches.values()) watch[Symbol.dispose]()
      watches.clear()
    },
  }
}

function findMissing(facilities: Iterable<Facility>, host: ReadHost): Missing {
  const missing = new Map<string, Set<string>>()
  for (const facility of facilities) {
    for (const path of neededPaths(facility)) {
      const names = missing.get(path)
      if (names) names.add(facility.name)
      else if (!isThere(path, host)) missing.set(path, new Set([facility.name]))
    }
  }
  return missing
}

/** Without which its process can't be started, or its health not be asked for. */
function neededPaths({ process, health }: Facility): string[] {
  const ofCheck = filesOfCheck(health?.check).map(({ file }) => file)
  if (!process) return ofCheck
  const { command, workingDirectory, environment, environmentFiles } = process
  const secrets = Object.values(environment).flatMap(value => (typeof value === 'string' ? [] : [value.fromFile]))
  const program = command[0] ?? ''
  return [
    ...secrets,
    ...environmentFiles,
    ...ofCheck,
    ...(isAbsolute(program) ? [program] : []),
    ...(workingDirectory === undefined ? [] : [workingDirectory]),
  ]
}

/** What can't be looked at is as good as there: nobody would tell when it comes. */
function isThere(path: string, host: ReadHost): boolean {
  try {
    return host.realPath(path) !== undefined
  } catch {
    return true
  }
}
