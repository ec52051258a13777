import { basename, dirname } from 'node:path'
import type { Bus } from '../../../src/core/contracts/bus.ts'
import type { ReadHost } from '../../../src/core/contracts/host.ts'
import type { DeclaredService } from '../../../src/core/contracts/provider.ts'
import type { Relation, RelationKind, ServiceTies } from '../../../src/core/state/relation.ts'
import { readUnitPath } from '../bus/manager.ts'
import { triggerNames } from '../units/activation-trigger.ts'
import { readDeclaredUnits } from '../units/declared-unit-path.ts'
import type { Layout } from '../units/layout.ts'
import { readGraph, type UnitGraph } from '../units/unit-graph.ts'
import { unitOf } from '../units/unit-name.ts'
import { linksOf, type UnitSearchPath } from '../units/unit-search-path.ts'

/**
 * Relations between units of facilities once their definitions are in place. Read from the disk, as systemd does when it
 * loads them: querying it for the properties of each takes far longer, and tells nothing of what is only declared.
 */
export async function relateUnits(
  services: readonly DeclaredService[],
  { bus, host, layout }: { readonly bus: Bus; readonly host: ReadHost; readonly layout: Layout },
  isElsewhere: boolean,
): Promise<Map<string, ServiceTies>> {
  const directories = isElsewhere ? [layout.unitDirectory] : await readUnitPath(bus)
  const disk = readDeclaredUnits(services, directories, isElsewhere ? undefined : host)
  const facilities = services.map(service => describeUnits(service, disk))
  const names = nameUnits(facilities, disk)
  const enabled = new Set(facilities.flatMap(({ units, isEnabled }) => (isEnabled ? units : [])))
  const graph = readGraph(
    facilities.flatMap(({ units }) => units),
    { disk, nameOf: names.nameOf, isEnabled: unit => enabled.has(unit), isStale: names.isStaleLink },
  )
  const manager = managerOf(layout, isElsewhere ? undefined : host)
  const identity = (unit: string): string => `systemd ${manager} ${unit}`
  return new Map(
    facilities.map(({ service, units }): [string, ServiceTies] => {
      const own = new Set(units.map(names.nameOf))
      const alias = names.aliasOf(unitOf(service))
      const leaving = names.leavingOf(unitOf(service))
      return [
        service,
        {
          identities: [...own].map(identity),
          ...(alias !== undefined && { alias }),
          ...(leaving !== undefined && { leaving: identity(leaving) }),
          relations: findRelations(own, graph).map(one => ({ ...one, to: identity(one.to) })),
        },
      ]
    }),
  )
}

/** By its sockets: supervisors of one manager differ in where Reeve writes units, if in anything. */
function managerOf({ manager }: Layout, host: ReadHost | undefined): string {
  const socket = manager.addresses.at(-1)?.socket ?? ''
  return dirname(host?.realPath(socket) ?? socket)
}

/** Units of one facility. */
interface OwnUnits {
  readonly service: string
  /** Its own, and those declared to start it. */
  readonly units: readonly string[]
  readonly isEnabled: boolean
  /** Undefined: as it is. */
  readonly willBeEnabled: boolean | undefined
  /** Reeve writes the unit itself. */
  readonly isWhole: boolean
}

function describeUnits({ service, enabled, definition }: DeclaredService, disk: UnitSearchPath): OwnUnits {
  const unit = unitOf(service)
  const files = new Set(definition?.files.map(({ path }) => basename(path)))
  const triggers = triggerNames(service).filter(name => files.has(name))
  const isWhole = definition !== undefined && definition.isAddition !== true
  const willBeEnabled = enabled === 'unmanaged' ? undefined : enabled
  // If enablement is unmanaged, the existing links count.
  const isEnabled = willBeEnabled ?? disk.enablement(unit).enabled === true
  return { service, units: [unit, ...triggers], isEnabled, willBeEnabled, isWhole }
}

interface UnitNames {
  /** The unit's own name, whatever its aliases. */
  nameOf(unit: string): string
  /** For people: the reason of an alias. */
  aliasOf(unit: string): string | undefined
  /** Unit of which it is an alias now, which is about to end. */
  leavingOf(unit: string): string | undefined
  /** A link `UNIT.wants/NAME` that is removed, as a declared unit doesn't ask for it any more. */
  isStaleLink(folder: string, unit: string): boolean
}

function nameUnits(facilities: readonly OwnUnits[], disk: UnitSearchPath): UnitNames {
  const declared = new Map(facilities.flatMap(one => one.units.map(unit => [unit, one] as const)))
  const asked = new Map<string, string>()
  for (const { units, isEnabled } of facilities) {
    if (!isEnabled) continue
    for (const unit of units) for (const alias of askedAliases(unit, disk)) asked.set(alias, unit)
  }

  /** Reeve is about to remove the link: with the others as it disables the unit, or as its new text doesn't name it. */
  function isGoing(link: string, unit: string): boolean {
    const one = declared.get(unit)
    if (!one) return false
    return one.willBeEnabled === false || (one.isWhole && !askedLinks(unit, disk).includes(link))
  }

  function linkedTo(unit: string): { readonly name: string; readonly isGoing: boolean } | undefined {
    const file = disk.find(unit)
    if (file.kind !== 'found' || file.unit === unit) return undefined
    return { name: file.unit, isGoing: isGoing(unit, file.unit) && !isPackaged(file.path) }
  }

  function nameOf(unit: string): string {
    const linked = linkedTo(unit)
    return asked.get(unit) ?? (linked && !linked.isGoing ? linked.name : unit)
  }

  return {
    nameOf,
    aliasOf(unit) {
      const owner = asked.get(unit)
      if (owner !== undefined) return `Alias=${unit} of ${owner}`
      const name = nameOf(unit)
      return name === unit ? undefined : `${unit} is another name of ${name}`
    },
    leavingOf(unit) {
      const linked = asked.has(unit) ? undefined : linkedTo(unit)
      return linked?.isGoing ? linked.name : undefined
    },
    isStaleLink: (folder, unit) => isGoing(`${folder}/${unit}`, unit),
  }
}

function askedAliases(unit: string, disk: UnitSearchPath): readonly string[] {
  const file = disk.find(unit)
  if (file.kind !== 'found' || !file.text.includes('Alias')) return []
  return askedLinks(unit, disk).filter(link => !link.includes('/'))
}

function askedLinks(unit: string, disk: UnitSearchPath): readonly string[] {
  const file = disk.find(unit)
  return file.kind === 'found' ? linksOf(file.unit, file.text) : []
}

/** systemd removes none of those. */
function isPackaged(path: string): boolean {
  return path.startsWith('/usr/') || path.startsWith('/lib/')
}

/** `to` is the name of a unit. */
function findRelations(own: ReadonlySet<string>, graph: UnitGraph): Relation[] {
  const found: Relation[] = []
  const add = (kind: RelationKind, units: ReadonlyMap<string, string>): void => {
    for (const [to, how] of units) if (!own.has(to)) found.push({ kind, to, how })
  }
  add('conflicts', graph.stoppedBy(own))
  add('starts', graph.startedBy(own))
  add('stops-with', graph.followedBy(own))
  add('enables', graph.enabledWith(own))
  return found
}
