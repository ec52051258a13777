import { basename, join } from 'node:path'
import type { ReadHost } from '../../../src/core/contracts/host.ts'
import type { DeclaredService } from '../../../src/core/contracts/provider.ts'
import type { ServiceTies } from '../../../src/core/state/relation.ts'
import { realPlace } from '../../posix/real-place.ts'
import { type Layout, placeOf } from '../layout.ts'

/**
 * A service is its directory, as its supervisor works in there: whatever link leads to it from whatever scan directory,
 * there can be one supervisor for it only. And one link in a scan directory can have one meaning only.
 */
export function relateDirectories(
  services: readonly DeclaredService[],
  layout: Layout,
  host: ReadHost | undefined,
): Map<string, ServiceTies> {
  const real = {
    services: realPlace(layout.services, host),
    definitions: realPlace(layout.definitions, host),
  }
  return new Map(services.map(one => [one.service, describeDirectory(one, layout, real, host)]))
}

function describeDirectory(
  { service, definition }: DeclaredService,
  layout: Layout,
  real: Pick<Layout, 'services' | 'definitions'>,
  host: ReadHost | undefined,
): ServiceTies {
  const { link, directory } = placeOf(layout, service)
  // As Reeve makes it: resolving every component of two paths for each service would take long.
  const isDirect = host?.readLink(link) === directory && host.facts(directory)?.kind === 'directory'
  const own = isDirect ? join(real.definitions, service) : realPlace(directory, host)
  const linked = isDirect ? own : host?.realPath(link)
  const found = linked ?? own
  const directories = new Set([found, ...(definition ? [own] : [])])
  return {
    identities: [`link ${join(real.services, service)}`, ...[...directories].map(path => `directory ${path}`)],
    ...(basename(found) !== service && { alias: `${linked === undefined ? directory : link} leads to ${found}` }),
    relations: [],
  }
}
