import { basename, dirname, join } from 'node:path'
import type { ReadHost } from '../../../src/core/contracts/host.ts'
import type { Ownership } from '../../../src/core/state/observed.ts'
import { triggerNames } from '../units/activation-trigger.ts'
import type { Layout } from '../units/layout.ts'
import { readMarker } from '../units/marker.ts'
import { unitOf } from '../units/unit-name.ts'
import type { UnitFile, UnitSearchPath } from '../units/unit-search-path.ts'
import { definitionVariable, isOfEarlierVersion } from './records.ts'

/** What Reeve has written for a unit: the unit itself, or drop-ins for somebody else's. */
export interface ManagedUnits {
  readonly path: string
  readonly ownership: Ownership
  /** The digest that a process gets to tell. */
  readonly definition: string | undefined
  /** An earlier version of Reeve has written it otherwise; it means the same. */
  readonly isEarlierForm: boolean
}

export function findManagedUnits(
  unit: string,
  file: UnitFile,
  { unitDirectory }: Layout,
  host: ReadHost,
): ManagedUnits | undefined {
  if (file.kind === 'found' && file.ownership) {
    return readWritten(file.path, file.text)
  }
  const directory = join(unitDirectory, `${unit}.d`)
  const names = host.readDirectory(directory) ?? []
  return findBearer(
    readAll(
      names.map(name => join(directory, name)),
      host,
    ),
  )
}

/**
 * The files that Reeve has written for a service, whatever is declared now: drop-ins, what starts it, and last the unit
 * itself. All are of one Reeve: that of the unit, if it is one's.
 */
export function listParts(service: string, disk: UnitSearchPath, { unitDirectory }: Layout, host: ReadHost): string[] {
  const unit = unitOf(service)
  const folder = join(unitDirectory, `${unit}.d`)
  const dropIns = readAll(
    disk.dropIns(unit).filter(path => dirname(path) === folder),
    host,
  )
  const units = [...triggerNames(service), unit].flatMap(name => {
    const file = disk.find(name)
    return file.kind === 'found' && file.path === join(unitDirectory, name)
      ? (readWritten(file.path, file.text) ?? [])
      : []
  })
  const owner = (units.at(-1) ?? findBearer(dropIns))?.ownership.owner
  return [...dropIns, ...units].filter(({ ownership }) => ownership.owner === owner).map(({ path }) => path)
}

/** Of those, the units. */
export function unitsAmong(parts: readonly string[], { unitDirectory }: Layout): string[] {
  return parts.filter(path => dirname(path) === unitDirectory).map(path => basename(path))
}

/** Of drop-ins, the one with the digest. */
function findBearer(dropIns: readonly ManagedUnits[]): ManagedUnits | undefined {
  return dropIns.find(({ definition }) => definition !== undefined) ?? dropIns[0]
}

function readAll(paths: readonly string[], host: ReadHost): ManagedUnits[] {
  return paths.flatMap(path => readWritten(path, host.readText(path) ?? '') ?? [])
}

function readWritten(path: string, text: string): ManagedUnits | undefined {
  const ownership = readMarker(text)
  return ownership && { path, ownership, definition: definitionOf(text), isEarlierForm: isOfEarlierVersion(text) }
}

/** The digest that stands in a unit's text: for its process, or, where it has none, in the marker's section. */
function definitionOf(text: string): string | undefined {
  return new RegExp(`^(?:Environment=${definitionVariable}|Definition)=([0-9a-f]{64})$`, 'm').exec(text)?.[1]
}
