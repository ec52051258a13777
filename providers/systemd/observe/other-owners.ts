import { basename, dirname, join } from 'node:path'
import type { ReadHost } from '../../../src/core/contracts/host.ts'
import type { OtherDefinition } from '../../../src/core/state/observed.ts'
import { triggerNames } from '../units/activation-trigger.ts'
import type { Layout } from '../units/layout.ts'
import { readMarker } from '../units/marker.ts'
import { unitOf } from '../units/unit-name.ts'
import type { UnitSearchPath } from '../units/unit-search-path.ts'

/**
 * Sockets, timers and drop-ins with the service's name but without a marker of the service's Reeve, in any directory: a file
 * of the same name in Reeve's directory would replace them.
 */
export function listOthers(
  service: string,
  owner: string | undefined,
  disk: UnitSearchPath,
  { unitDirectory }: Layout,
  host: ReadHost,
): OtherDefinition[] {
  const folder = `${unitOf(service)}.d`
  const triggers = triggerNames(service).flatMap((name): OtherDefinition[] => {
    const file = disk.find(name)
    if (file.kind === 'absent') return []
    return [toOther(join(unitDirectory, name), name, file.kind === 'found' ? file.ownership?.owner : undefined)]
  })
  const dropIns = disk
    .dropIns(unitOf(service))
    .filter(path => basename(dirname(path)) === folder)
    .map(path =>
      toOther(join(unitDirectory, folder, basename(path)), path, readMarker(host.readText(path) ?? '')?.owner),
    )
  return [...triggers, ...dropIns].filter(other => other.owner === undefined || other.owner !== owner)
}

function toOther(path: string, name: string, owner: string | undefined): OtherDefinition {
  return { path, name, ...(owner !== undefined && { owner }) }
}
