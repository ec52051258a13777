import type { OwnedService, Ownership } from '../../src/core/observed.ts'
import type { ReadHost } from '../../src/core/provider.ts'
import { readOwnership } from '../posix/marker.ts'
import { parseTable } from '../posix/table.ts'
import { type Layout, type Place, placeOf, serviceOfLastMarker } from './layout.ts'

export function presentMarker(ownership: Ownership): string {
  return `${JSON.stringify(ownership, undefined, 2)}\n`
}

/** Undefined if there is none that can be read. */
export function readMarker(place: Place, host: ReadHost): Ownership | undefined {
  return parseMarker(host.readText(place.marker)) ?? parseMarker(host.readText(place.lastMarker))
}

function parseMarker(text: string | undefined): Ownership | undefined {
  return text === undefined ? undefined : readOwnership(parseTable(text))
}

/** Every definition that carries a marker, and what is left of those whose removal was cut off. */
export function listOwned(layout: Layout, host: ReadHost): OwnedService[] {
  const services = new Set<string>()
  for (const name of host.readDirectory(layout.definitions) ?? []) {
    services.add(name.startsWith('.') ? (serviceOfLastMarker(name) ?? '') : name)
  }
  services.delete('')
  return [...services].sort().flatMap(service => {
    const ownership = readMarker(placeOf(layout, service), host)
    return ownership ? { service, ownership } : []
  })
}
