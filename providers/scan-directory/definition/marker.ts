import { join } from 'node:path'
import type { ReadHost } from '../../../src/core/contracts/host.ts'
import { parseObject } from '../../../src/core/outside-value.ts'
import type { OwnedService, Ownership } from '../../../src/core/state/observed.ts'
import { readOwnership } from '../../posix/marker.ts'
import { type Layout, type Place, placeOf, serviceOfLeftover } from '../layout.ts'

export function presentMarker(ownership: Ownership): string {
  return `${JSON.stringify(ownership, undefined, 2)}\n`
}

/** Reads a marker; undefined if it is missing or unreadable. */
export function readMarker(place: Place, host: ReadHost): Ownership | undefined {
  const paths = [place.marker, place.lastMarker, join(place.former, 'reeve.json')]
  for (const path of paths) {
    const ownership = parseMarker(host.readText(path))
    if (ownership) return ownership
  }
  return undefined
}

function parseMarker(text: string | undefined): Ownership | undefined {
  return text === undefined ? undefined : readOwnership(parseObject(text))
}

/** Definitions with a marker, and leftovers of interrupted removals and moves. */
export function listOwned(layout: Layout, host: ReadHost): OwnedService[] {
  const services = new Set<string>()
  for (const name of host.readDirectory(layout.definitions) ?? []) {
    services.add(name.startsWith('.') ? (serviceOfLeftover(name) ?? '') : name)
  }
  services.delete('')
  return [...services].sort().flatMap(service => {
    const ownership = readMarker(placeOf(layout, service), host)
    return ownership ? { service, ownership } : []
  })
}
