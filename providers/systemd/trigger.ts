import type { Disk, UnitFile } from './disk.ts'
import { servicesOf, unitOf } from './unit-name.ts'

/** The units that tell of a service: its own, by its real name, and what starts it. */
export function unitsOf(service: string, disk: Disk): string[] {
  const unit = unitOf(service)
  const file = disk.find(unit)
  return [file.kind === 'found' ? file.unit : unit, ...triggersOf(service, file, disk)]
}

/** The units that Reeve wrote beside a service to start it: they are enabled, started and stopped in its place. */
export function triggersOf(service: string, file: UnitFile, disk: Disk): string[] {
  if (file.kind !== 'found') return []
  const { ownership } = file
  if (!ownership) return []
  const [base = service] = servicesOf(service)
  return [`${base}.socket`, `${base}.timer`].filter(unit => {
    const trigger = disk.find(unit)
    return trigger.kind === 'found' && trigger.ownership?.facility === ownership.facility
  })
}
