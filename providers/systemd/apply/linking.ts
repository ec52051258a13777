import { basename, join } from 'node:path'
import { together } from '../../../src/authoring/action-report.ts'
import type { ReadHost } from '../../../src/core/contracts/host.ts'
import type { Action } from '../../../src/core/contracts/provider.ts'
import { ReeveError } from '../../../src/core/reeve-error.ts'
import { managerCall } from '../bus/manager.ts'
import { startersOf } from '../units/activation-trigger.ts'
import { isTemplate, unitOf } from '../units/unit-name.ts'
import type { UnitSearchPath } from '../units/unit-search-path.ts'
import { type Application, openDisk } from './batch.ts'

/**
 * Enables and disables. Without a daemon-reload: at boot systemd reads everything again, and until then the difference shows
 * only in what somebody asks of the target itself.
 */
export async function linkAll(actions: readonly Action[], application: Application): Promise<void> {
  if (actions.length === 0) return
  const disk = openDisk(application, actions)
  for (const verb of ['enable', 'disable'] as const) {
    const chosen = actions.filter(action => action.verb === verb)
    if (chosen.length > 0) await link(verb, chosen, disk, application)
  }
}

/** Links all units in one call; if that fails, one by one, to find the cause. */
async function link(
  verb: 'enable' | 'disable',
  actions: readonly Action[],
  disk: UnitSearchPath,
  application: Application,
): Promise<void> {
  const { report } = application
  const call = async (of: readonly Action[]): Promise<void> => {
    const links = of.flatMap(({ service }) => findLinks(service, disk))
    if (verb === 'disable') return disableUnits(links, disk, application)
    for (const { unit } of links) refuseTakenAlias(unit, disk)
    await enableUnits(links, application)
  }
  try {
    await call(actions)
    for (const { id } of actions) report({ id, ok: true })
  } catch {
    for (const action of actions) await together([action], report, () => call([action]))
  }
}

/** systemd would redirect it to this unit (E8). */
function refuseTakenAlias(unit: string, disk: UnitSearchPath): void {
  const taken = disk.takenAlias(unit)
  if (!taken) return
  throw new ReeveError(
    'failed',
    `${unit} asks for the alias ${taken.path}, which leads to ${taken.target}: remove one of the two`,
  )
}

/** A unit that systemd has links for. */
interface Link {
  readonly unit: string
  readonly isOwn: boolean
}

/**
 * Removes links of Reeve's own units that an earlier `[Install]` asked for; without any, the call would only take twice as
 * long. Those of others may be aliases that a person created.
 */
export async function enableUnits(
  links: readonly Link[],
  { bus, host, layout }: Pick<Application, 'bus' | 'host' | 'layout'>,
): Promise<void> {
  const linked = findLinked(layout.unitDirectory, host)
  for (const isAnew of [true, false]) {
    const units = links.filter(({ unit, isOwn }) => isAnew === (isOwn && linked.has(unit))).map(({ unit }) => unit)
    if (units.length === 0) continue
    await bus.call(managerCall(isAnew ? 'ReenableUnitFiles' : 'EnableUnitFiles', 'asbb', units, false, true))
  }
}

/** Along with its links, systemd would remove a unit that was itself linked into the search path (`systemctl link`). */
async function disableUnits(links: readonly Link[], disk: UnitSearchPath, { bus, host }: Application): Promise<void> {
  const isLinked = (unit: string): boolean => {
    const file = disk.find(unit)
    return file.kind === 'found' && host.facts(file.path)?.kind === 'symlink'
  }
  const units = links.map(({ unit }) => unit)
  // Along with a template's links, systemd would remove those of all its instances.
  const others = units.filter(unit => !isLinked(unit) && !isTemplate(unit))
  if (others.length > 0) await bus.call(managerCall('DisableUnitFiles', 'asb', others, false))
  // It leaves the alias of an instance, too (252).
  for (const path of units.flatMap(unit => disk.links(unit))) if (host.facts(path)) host.removeFile(path)
}

/** Units that have links: in the directories of targets, and aliases. */
function findLinked(directory: string, host: ReadHost): Set<string> {
  const linked = new Set<string>()
  for (const name of host.readDirectory(directory) ?? []) {
    const path = join(directory, name)
    const kind = host.facts(path)?.kind
    if (kind === 'symlink') linked.add(basename(host.readLink(path) ?? ''))
    if (kind === 'directory') for (const unit of host.readDirectory(path) ?? []) linked.add(unit)
  }
  return linked
}

/** Units that start the service, and never an alias. */
export function findLinks(service: string, disk: UnitSearchPath): Link[] {
  const file = disk.find(unitOf(service))
  const isOwn = file.kind === 'found' && file.ownership !== undefined
  return startersOf(service, disk).map(unit => ({ unit, isOwn }))
}
