import { basename } from 'node:path'
import type { DeclaredService, ReadHost } from '../../src/core/provider.ts'
import type { ServiceTies } from '../../src/core/relation.ts'
import { realPlace } from '../posix/real-place.ts'
import { type Layout, placeOf } from './layout.ts'

/**
 * A service is its directory, as its supervisor works in there: whichever link leads to it from whichever scan directory, there
 * can be one supervisor for it only. And of one link in a scan directory there can be one meaning only.
 */
export function relateDirectories(
  services: readonly DeclaredService[],
  layout: Layout,
  host: ReadHost | undefined,
): Map<string, ServiceTies> {
  return new Map(services.map(one => [one.service, describeDirectory(one, layout, host)]))
}

function describeDirectory(
  { service, definition }: DeclaredService,
  layout: Layout,
  host: ReadHost | undefined,
): ServiceTies {
  const { link, directory } = placeOf(layout, service)
  const linked = host?.realPath(link)
  const own = realPlace(directory, host)
  const found = linked ?? own
  const isElsewhere = basename(found) !== service
  const directories = new Set([found, ...(definition ? [own] : [])])
  return {
    identities: [
      `link ${realPlace(layout.services, host)}/${service}`,
      ...[...directories].map(path => `directory ${path}`),
    ],
    ...(isElsewhere && { alias: `${linked === undefined ? directory : link} leads to ${found}` }),
    relations: [],
  }
}
