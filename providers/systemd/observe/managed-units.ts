import { basename, dirname, join } from 'node:path'
import type { ReadHost } from '../../../src/core/contracts/host.ts'
import type { Ownership } from '../../../src/core/state/observed.ts'
import { triggerNames } from '../units/activation-trigger.ts'
import type { Layout } from '../units/layout.ts'
import { definitionVariable, readMarker } from '../units/marker.ts'
import { unitOf } from '../units/unit-name.ts'
import type { UnitFile, UnitSearchPath } from '../units/unit-search-path.ts'
import { isOfEarlierVersion } from './records.ts'

/** Files that Reeve has written for a unit: the unit itself, or drop-ins for somebody else's. */
export interface ManagedUnits {
  readonly path: string
  readonly ownership: Ownership
  /** Digest that the process gets as a variable. */
  readonly definition: string | undefined
  /** An earlier version of Reeve has written it differently, with the same meaning. */
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
 * Files that Reeve has written for a service, whatever is declared now: drop-ins, activation units, and last the unit
 * itself. All belong to one Reeve: that of the unit, if it has a marker.
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

/** The units among them. */
export function unitsAmong(parts: readonly string[], { unitDirectory }: Layout): string[] {
  return parts.filter(path => dirname(path) === unitDirectory).map(path => basename(path))
}

/** The drop-in with the digest. */
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

/** Digest in a unit's text: for its process, or without one, in the marker's section. */
function definitionOf(text: string): string | undefined {
  return new RegExp(`^(?:Environment=${definitionVariable}|Definition)=([0-9a-f]{64})$`, 'm').exec(text)?.[1]
}
