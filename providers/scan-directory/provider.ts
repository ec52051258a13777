import { coalesce } from '../../src/authoring/coalesce.ts'
import type { Applier, ApplierTools, Observer, ObserverTools, Provider } from '../../src/core/contracts/provider.ts'
import { createRoomClaim } from './apply/capacity.ts'
import { renderDefinition } from './definition/definition.ts'
import { listOwned } from './definition/marker.ts'
import { relateDirectories } from './definition/relations.ts'
import { findStartNeeds } from './definition/start-needs.ts'
import type { Family } from './family.ts'
import { createOptionsSchema } from './instance-options.ts'
import { type Layout, layoutOf } from './layout.ts'
import { observeAdoptable } from './observe/adoption.ts'
import { observeServices } from './observe/observation.ts'
import { createOrphanSearch } from './observe/orphaned-definition.ts'
import { createProbe } from './observe/scanner.ts'
import { watchServices } from './observe/watching.ts'
import { createDiskLook } from './observe/writability.ts'

/** Creates a provider for one of the family; see README.md beside this file. */
export function createScanProvider(family: Family): Provider {
  return {
    type: family.type,
    capabilities: {
      process: family.process,
      besideOutput: 'directory',
      configSchema: family.configSchema,
      optionsSchema: createOptionsSchema(family),
    },
    render: (facility, instance, ownership) => renderDefinition(family, facility, instance, ownership),
    openObserver: (instance, tools) => openObserver(family, layoutOf(instance, family), tools),
    openApplier: (instance, tools) => openApplier(family, layoutOf(instance, family), tools),
    identify(instance) {
      const { services, definitions } = layoutOf(instance, family)
      return { place: services, layout: [services, definitions] }
    },
    directories(instance) {
      const { services, definitions } = layoutOf(instance, family)
      return [services, definitions]
    },
    // Scanners skip names that begin with a dot, and pass the others to their supervisors as words of a command line.
    serviceNames: {
      pattern: '[A-Za-z0-9_][A-Za-z0-9_.@:+,=~-]{0,199}',
      words: 'letters, digits and _ . @ : + , = ~ -, beginning with a letter, digit or _, at most 200 characters',
    },
  }
}

function openObserver(family: Family, layout: Layout, { host, clock }: ObserverTools): Observer {
  const probe = createProbe(family, layout, host)
  const findUnwritable = createDiskLook(layout, host)
  return {
    async probe() {
      const found = probe()
      const unwritable = findUnwritable()
      return found.available && unwritable.length > 0 ? { ...found, unwritable } : found
    },
    list: async () => listOwned(layout, host),
    observe: async services => observeServices(family, services, layout, host),
    watch: hint => watchServices({ family, layout, host, clock, hint }),
    observeAdoptable: async (service, definition) => observeAdoptable(family, layout, service, definition, host),
    relate: async (services, { isElsewhere = false }) =>
      relateDirectories(services, layout, isElsewhere ? undefined : host),
    startNeeds: findStartNeeds,
    [Symbol.dispose]() {},
  }
}

function openApplier(family: Family, layout: Layout, { host, clock }: ApplierTools): Applier {
  return {
    async apply(actions, report) {
      const { applyActions } = await import('./apply/application.ts') // not needed for observing
      const announce = coalesce(async () => family.announce?.(layout.services, host))
      const claimRoom = createRoomClaim(family, layout, host)
      const findOrphan = createOrphanSearch(family, host)
      return applyActions(actions, { family, layout, host, clock, announce, claimRoom, findOrphan }, report)
    },
    [Symbol.dispose]() {},
  }
}
