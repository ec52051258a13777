import type { Provider } from '../../src/core/contracts/provider.ts'
import { createClock } from '../../src/host/clock.ts'
import { createRoomClaim } from './apply/capacity.ts'
import { createAnnouncer } from './apply/coalesce.ts'
import { renderDefinition } from './definition/definition.ts'
import { listOwned } from './definition/marker.ts'
import { relateDirectories } from './definition/relations.ts'
import { findStartNeeds } from './definition/start-needs.ts'
import type { Family } from './family.ts'
import { createOptionsSchema } from './instance-options.ts'
import { layoutOf } from './layout.ts'
import { observeAdoptable } from './observe/adoption.ts'
import { observeServices } from './observe/observation.ts'
import { createOrphanSearch } from './observe/orphaned-definition.ts'
import { createProbe } from './observe/scanner.ts'
import { watchServices } from './observe/watching.ts'
import { createDiskLook } from './observe/writability.ts'

/** A provider for one of the family; see README.md beside this file. */
export function createScanProvider(family: Family): Provider {
  const clock = createClock()
  const probe = createProbe(family)
  const findUnwritable = createDiskLook()
  return {
    type: family.type,
    capabilities: {
      process: family.process,
      besideOutput: 'directory',
      configSchema: family.configSchema,
      optionsSchema: createOptionsSchema(family),
    },
    place: instance => layoutOf(instance, family).services,
    // Scanners pass over names that begin with a dot, and hand the others to their supervisors as words of a command line.
    serviceNames: {
      pattern: '[A-Za-z0-9_][A-Za-z0-9_.@:+,=~-]{0,199}',
      words: 'letters, digits and _ . @ : + , = ~ -, beginning with a letter, digit or _, at most 200 characters',
    },
    layout(instance) {
      const { services, definitions } = layoutOf(instance, family)
      return [services, definitions]
    },
    directories(instance) {
      const { services, definitions } = layoutOf(instance, family)
      return [services, definitions]
    },
    async probe(instance, host) {
      const layout = layoutOf(instance, family)
      const found = probe(layout, host)
      const unwritable = findUnwritable(layout, host)
      return found.available && unwritable.length > 0 ? { ...found, unwritable } : found
    },
    render: (facility, instance, ownership) => renderDefinition(family, facility, instance, ownership),
    startNeeds: findStartNeeds,
    async list(instance, host) {
      return listOwned(layoutOf(instance, family), host)
    },
    async observe(services, instance, host) {
      return observeServices(family, services, layoutOf(instance, family), host)
    },
    async relate(services, instance, host, { isElsewhere = false }) {
      return relateDirectories(services, layoutOf(instance, family), isElsewhere ? undefined : host)
    },
    async observeAdoptable(service, definition, instance, host) {
      return observeAdoptable(family, layoutOf(instance, family), service, definition, host)
    },
    async apply(actions, instance, host, report) {
      const { applyActions } = await import('./apply/application.ts') // not needed by those who only look
      const layout = layoutOf(instance, family)
      const announce = createAnnouncer(async () => family.announce?.(layout.services, host))
      const claimRoom = createRoomClaim(family, layout, host)
      const findOrphan = createOrphanSearch(family, host)
      return applyActions(actions, { family, layout, host, clock, announce, claimRoom, findOrphan }, report)
    },
    watch(instance, host, hint) {
      return watchServices({ family, layout: layoutOf(instance, family), host, clock, hint })
    },
  }
}
