import { basename, dirname } from 'node:path'
import type { ReadHost } from '../../core/contracts/host.ts'
import type { Log } from '../../core/contracts/log.ts'
import { messageOf } from '../../core/reeve-error.ts'

/** A facility and the files that concern it. */
interface WatchedFiles {
  readonly name: string
  readonly files: readonly { readonly path: string }[]
}

/** Hints that a file of a facility was edited, removed or created. */
export interface FileWatch {
  /** Watches the files of these facilities, and no others. */
  follow(facilities: Iterable<WatchedFiles>): void
  /** False: a directory cannot be watched. */
  isComplete(): boolean
  [Symbol.dispose](): void
}

interface Watched {
  /** Facilities by the names of their files in the directory. */
  owners: ReadonlyMap<string, readonly string[]>
  /** Absent: the directory cannot be watched. */
  readonly watch: Disposable | undefined
}

/** `hint` gets the name of the facility. */
export function createFileWatch(host: ReadHost, log: Log, hint: (facility: string) => void): FileWatch {
  const watched = new Map<string, Watched>()

  function notice(directory: string, name: string | undefined): void {
    const owners = watched.get(directory)?.owners ?? new Map<string, readonly string[]>()
    // Without a name, the whole directory may have changed.
    const hinted = name === undefined ? [...owners.values()].flat() : (owners.get(name) ?? [])
    for (const facility of new Set(hinted)) hint(facility)
  }

  function tryWatch(directory: string): Disposable | undefined {
    try {
      return host.watch(directory, name => notice(directory, name))
    } catch (error) {
      log.warn({ error: messageOf(error) }, `cannot watch ${directory}; polling its files every 30 s`)
      return undefined
    }
  }

  function drop(directory: string): void {
    watched.get(directory)?.watch?.[Symbol.dispose]()
    watched.delete(directory)
  }

  return {
    follow(facilities) {
      const wanted = findDirectories(facilities)
      for (const directory of [...watched.keys()]) if (!wanted.has(directory)) drop(directory)
      for (const [directory, owners] of wanted) {
        const known = watched.get(directory)
        if (known) known.owners = owners
        else {
          watched.set(directory, { owners, watch: tryWatch(directory) })
          notice(directory, undefined) // changes between the refresh and the watch would be missed
        }
      }
    },
    isComplete: () => [...watched.values()].every(({ watch }) => watch !== undefined),
    [Symbol.dispose]() {
      for (const directory of [...watched.keys()]) drop(directory)
    },
  }
}

function findDirectories(facilities: Iterable<WatchedFiles>): Map<string, Map<string, string[]>> {
  const directories = new Map<string, Map<string, string[]>>()
  for (const { name, files } of facilities) {
    for (const { path } of files) {
      const directory = dirname(path)
      const owners = directories.get(directory) ?? new Map<string, string[]>()
      const known = owners.get(basename(path)) ?? []
      directories.set(directory, owners.set(basename(path), [...known, name]))
    }
  }
  return directories
}
