import { hasSuffix, unitOf } from './unit-name.ts'
import type { Enablement, UnitFile, UnitSearchPath } from './unit-search-path.ts'

/** Units that describe a service: its own, by its real name, and those that start it. */
export function unitsOf(service: string, disk: UnitSearchPath, triggers?: readonly string[]): string[] {
  const unit = unitOf(service)
  const file = disk.find(unit)
  return [file.kind === 'found' ? file.unit : unit, ...(triggers ?? triggersOf(service, file, disk))]
}

/** Units that are enabled for it to start at boot: those that start it, else its own by its real name. */
export function startersOf(service: string, disk: UnitSearchPath, own?: readonly string[]): string[] {
  const [unit = service, ...triggers] = unitsOf(service, disk, own)
  return triggers.length > 0 ? triggers : [unit]
}

/**
 * Whether everything that starts the service does so at boot. `triggers`: units other than those that Reeve wrote for it.
 */
export function enablementOf(service: string, disk: UnitSearchPath, triggers?: readonly string[]): Enablement {
  const [first = { enabled: false }, ...others] = startersOf(service, disk, triggers).map(unit => disk.enablement(unit))
  return others.every(({ enabled }) => enabled === first.enabled) ? first : { enabled: 'partly' }
}

/**
 * Activation units that Reeve wrote beside a service, be that service Reeve's or another's: they are enabled, started and
 * stopped in its place.
 */
export function triggersOf(service: string, file: UnitFile, disk: UnitSearchPath): string[] {
  if (file.kind !== 'found') return []
  const { ownership } = file
  return triggerNames(service).filter(unit => {
    const trigger = disk.find(unit)
    if (trigger.kind !== 'found' || !trigger.ownership) return false
    return ownership ? trigger.ownership.facility === ownership.facility : trigger.ownership.isAddition === true
  })
}

/** Their names. A unit that is no service has none. */
export function triggerNames(service: string): string[] {
  return hasSuffix(service) ? [] : [`${service}.socket`, `${service}.timer`]
}
