import type { Provider, ReadHost } from '../../src/core/provider.ts'
import { createClock } from '../../src/host/clock.ts'
import { createAnnouncer } from './announcing.ts'
import { renderDefinition } from './definition.ts'
import type { Family } from './family.ts'
import { createOptionsSchema } from './instance-options.ts'
import { type Layout, layoutOf, placeOf } from './layout.ts'
import { listOwned } from './marker.ts'
import { observeServices } from './observation.ts'
import { probeInstance } from './scanner.ts'

/** A provider for one of the family; see README.md beside this file. */
export function createScanProvider(family: Family): Provider {
  const clock = createClock()
  return {
    type: family.type,
    capabilities: {
      process: family.process,
      configSchema: family.configSchema,
      optionsSchema: createOptionsSchema(family),
    },
    place: instance => layoutOf(instance, family).services,
    async probe(instance, host) {
      return probeInstance(family, layoutOf(instance, family), host)
    },
    render: (facility, instance, ownership) => renderDefinition(family, facility, instance, ownership),
    async list(instance, host) {
      return listOwned(layoutOf(instance, family), host)
    },
    async observe(services, instance, host) {
      return observeServices(family, services, layoutOf(instance, family), host)
    },
    async apply(actions, instance, host, report) {
      const { applyActions } = await import('./application.ts') // not needed by those who only look
      const layout = layoutOf(instance, family)
      const announce = createAnnouncer(async () => family.announce?.(layout.services, host))
      return applyActions(actions, { family, layout, host, clock, announce }, report)
    },
    watch(instance, host, hint) {
      return watchServices(layoutOf(instance, family), host, hint)
    },
  }
}

/** Watches the directories of definitions and of links, and of each service what changes with its state. */
function watchServices(layout: Layout, host: ReadHost, hint: (service?: string) => void): Disposable {
  const watched = new Map<string, Disposable[]>()

  function follow(): void {
    const present = new Set(listNames(layout, host))
    for (const [service, watches] of watched) {
      if (present.has(service)) continue
      for (const watch of watches) watch[Symbol.dispose]()
      watched.delete(service)
    }
    for (const service of present) {
      if (watched.has(service)) continue
      const { directory, supervise, records } = placeOf(layout, service)
      watched.set(
        service,
        [directory, supervise, records].map(path => host.watch(path, () => hint(service))),
      )
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
      for (const watch of [...directories, ...[...watched.values()].flat()]) watch[Symbol.dispose]()
    },
  }
}

function listNames(layout: Layout, host: ReadHost): string[] {
  try {
    return (host.readDirectory(layout.definitions) ?? []).filter(name => !name.startsWith('.'))
  } catch {
    return [] // it is unreadable, which observing says
  }
}
