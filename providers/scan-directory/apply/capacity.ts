import { join } from 'node:path'
import type { ReadHost } from '../../../src/core/contracts/host.ts'
import { ReeveError } from '../../../src/core/reeve-error.ts'
import type { Family } from '../family.ts'
import type { Layout } from '../layout.ts'
import { findScanner } from '../observe/scanner.ts'

/**
 * Returns a function called for each service before it is linked. It throws if the scanner accepts no more, as waiting for
 * that one would be in vain. Services are counted once, at the first call; a removal makes room for the next batch.
 */
export function createRoomClaim(family: Family, layout: Layout, host: ReadHost): (service: string) => void {
  let found: { readonly names: Set<string>; count: number } | undefined
  let most: number | undefined
  return service => {
    found ??= countServices(layout, host)
    if (found.names.has(service)) return
    most ??= findMost(family, layout, host) ?? Number.POSITIVE_INFINITY
    if (found.count >= most) {
      const raise =
        family.limitOption === undefined ? '' : `, start ${family.scanner} with a larger ${family.limitOption}`
      throw new ReeveError(
        'refused',
        `${family.scanner} takes at most ${most} services, and there are ${found.count} in ${layout.services}: ` +
          `remove some${raise}, or declare another kind: Supervisor for ${service}`,
      )
    }
    found.names.add(service)
    found.count += 1
  }
}

/** Addition to the error that a service was not picked up: there may be too many. */
export function describeCrowd(family: Family, layout: Layout, host: ReadHost): string {
  const most = findMost(family, layout, host)
  const { count } = countServices(layout, host)
  if (most === undefined ? family.limitOption === undefined : count <= most) return ''
  const limit = most === undefined ? `only as many as its ${family.limitOption} says` : `at most ${most}`
  return `: there are ${count} services in ${layout.services}, and it takes ${limit}`
}

function findMost(family: Family, layout: Layout, host: ReadHost): number | undefined {
  const scanner = findScanner(family, layout, host)
  return scanner && family.mostServices(scanner, host)
}

/** Counts like the scanner: directories whose names don't begin with a dot, each once whatever its names. */
function countServices({ services }: Layout, host: ReadHost): { names: Set<string>; count: number } {
  const names = new Set<string>()
  const places = new Set<string>()
  for (const name of host.readDirectory(services) ?? []) {
    const path = name.startsWith('.') ? undefined : host.realPath(join(services, name))
    if (path === undefined || host.facts(path)?.kind !== 'directory') continue
    names.add(name)
    places.add(path)
  }
  return { names, count: places.size }
}
