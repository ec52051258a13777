import type { ReadHost } from '../../../src/core/contracts/host.ts'
import { tryTo } from '../../../src/core/try-to.ts'
import type { Clock } from '../../../src/host/clock.ts'
import { readLaunched } from '../definition/records.ts'
import type { Family } from '../family.ts'
import { type Layout, placeOf } from '../layout.ts'
import { isExecuted } from './supervision.ts'

/** Delay in ms before a run script that is about to execute its service is observed again: no event tells that it has. */
const executionTime = 50

export interface WatchOptions {
  readonly family: Family
  readonly layout: Layout
  readonly host: ReadHost
  readonly clock: Clock
  hint(service?: string): void
}

/** Watches the directories of definitions and of links, and for each service the files that change with its state. */
export function watchServices({ family, layout, host, clock, hint }: WatchOptions): Disposable {
  const watched = new Map<string, Disposable>()

  function follow(): void {
    const present = new Set(listNames(layout, host))
    for (const [service, watch] of watched) {
      if (present.has(service)) continue
      watch[Symbol.dispose]()
      watched.delete(service)
    }
    for (const service of present) if (!watched.has(service)) watched.set(service, watchService(service))
  }

  function watchService(service: string): Disposable {
    const place = placeOf(layout, service)
    const tell = (): void => hint(service)
    let again: Disposable | undefined

    function tellOfRun(): void {
      tell()
      again?.[Symbol.dispose]()
      const launched = readLaunched(place, host)
      if (launched && !isExecuted(family, launched.pid, host)) again = clock.after(executionTime, tellOfRun)
    }

    const watches = [
      host.watch(place.directory, tell),
      host.watch(place.supervise, tell),
      host.watch(place.records, tellOfRun),
    ]
    return {
      [Symbol.dispose]() {
        again?.[Symbol.dispose]()
        for (const watch of watches) watch[Symbol.dispose]()
      },
    }
  }

  const change = (): void => {
    follow()
    hint()
  }
  const directories = [host.watch(layout.definitions, change), host.watch(layout.services, change)]
  follow()
  return {
    [Symbol.dispose]() {
      for (const watch of [...directories, ...watched.values()]) watch[Symbol.dispose]()
    },
  }
}

function listNames(layout: Layout, host: ReadHost): string[] {
  // That it is unreadable is reported by observing.
  const names = tryTo(() => host.readDirectory(layout.definitions)) ?? []
  return names.filter(name => !name.startsWith('.'))
}
