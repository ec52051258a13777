import type { Bus, BusCall } from '../../../src/core/contracts/bus.ts'
import { busErrorName } from '../../../src/host/bus-error.ts'

/** Names of systemd's D-Bus interface (org.freedesktop.systemd1(5)) that Reeve uses. */

const destination = 'org.freedesktop.systemd1'
const managerPath = '/org/freedesktop/systemd1'
export const managerInterface = 'org.freedesktop.systemd1.Manager'
export const unitInterface = 'org.freedesktop.systemd1.Unit'
export const propertiesInterface = 'org.freedesktop.DBus.Properties'

/** Calls that change nothing but where signals are sent. Units are listed, not named: naming one loads it. */
export const busQueries: readonly string[] = [
  `${managerInterface}.ListUnits`,
  `${managerInterface}.GetUnit`,
  `${managerInterface}.Subscribe`,
  `${propertiesInterface}.Get`,
]

/** systemd's result of a job: `done`, `failed`, `canceled`, `timeout`, `dependency`, `skipped`, …; or `lost`. */
export type JobResult = string

/** The connection to systemd ended meanwhile, and so did the job: its result can only be derived from the unit. */
export const lost: JobResult = 'lost'

/** A unit that the manager has loaded. */
export interface LoadedUnit {
  readonly name: string
  /** `loaded`, `not-found`, `masked`, `bad-setting`, `error`. */
  readonly load: string
  /** `active`, `reloading`, `inactive`, `failed`, `activating`, `deactivating`. */
  readonly active: string
  /** Depends on the type of unit: `running`, `exited`, `auto-restart`, `dead` … */
  readonly sub: string
  readonly path: string
}

export function managerCall(member: string, signature = '', ...body: readonly unknown[]): BusCall {
  const base = { destination, path: managerPath, interface: managerInterface, member }
  return signature === '' ? base : { ...base, signature, body }
}

/** Has signals sent to this connection. */
export async function subscribe(bus: Bus): Promise<void> {
  try {
    await bus.query(managerCall('Subscribe'))
  } catch (error) {
    if (busErrorName(error) !== 'org.freedesktop.systemd1.AlreadySubscribed') throw error
  }
}

/** Number of units that are queried one by one: a listing takes as long as some fifty queries, at some hundred units. */
export const few = 10

/** Loaded units by the requested name. None is loaded because of that. */
export async function findUnits(bus: Bus, names: readonly string[]): Promise<ReadonlyMap<string, LoadedUnit>> {
  if (names.length > few) return listUnits(bus)
  const units = new Map<string, LoadedUnit>()
  await Promise.all(
    names.map(async name => {
      const unit = await findUnit(bus, name)
      if (unit) units.set(name, unit)
    }),
  )
  return units
}

async function findUnit(bus: Bus, asked: string): Promise<LoadedUnit | undefined> {
  try {
    const [object] = await bus.query(managerCall('GetUnit', 's', asked))
    const path = String(object)
    const names = ['Id', 'LoadState', 'ActiveState', 'SubState']
    const read = await Promise.all(names.map(name => readProperty(bus, path, 'Unit', name)))
    const [name = asked, load = '', active = '', sub = ''] = read.map(String)
    return { name, load, active, sub, path }
  } catch (error) {
    if (isGone(error)) return undefined
    throw error
  }
}

/** True unless there is nothing to stop. */
export function isUp(unit: LoadedUnit | undefined): boolean {
  return (unit?.active ?? 'inactive') !== 'inactive'
}

/** The unit isn't loaded, or not any more. */
function isGone(error: unknown): boolean {
  const name = busErrorName(error)
  return name === 'org.freedesktop.systemd1.NoSuchUnit' || name === 'org.freedesktop.DBus.Error.UnknownObject'
}

async function listUnits(bus: Bus): Promise<Map<string, LoadedUnit>> {
  const [units] = await bus.query(managerCall('ListUnits'))
  const found = new Map<string, LoadedUnit>()
  for (const unit of Array.isArray(units) ? units : []) {
    const [name, , load, active, sub, , path]: unknown[] = unit
    const loaded = {
      name: String(name),
      load: String(load),
      active: String(active),
      sub: String(sub),
      path: String(path),
    }
    found.set(loaded.name, loaded)
  }
  return found
}

/** Property of the manager itself, or of a unit. `kind`: `Manager`, `Unit`, `Service`. */
export async function readProperty(bus: Bus, path: string | undefined, kind: string, name: string): Promise<unknown> {
  const [value] = await bus.query(propertyQuery(path, kind, name))
  return value
}

function propertyQuery(path: string | undefined, kind: string, name: string): BusCall {
  const call = { destination, path: path ?? managerPath, interface: propertiesInterface, member: 'Get' }
  return { ...call, signature: 'ss', body: [`org.freedesktop.systemd1.${kind}`, name] }
}

export async function readNumber(bus: Bus, path: string | undefined, kind: string, name: string): Promise<number> {
  const value = await readProperty(bus, path, kind, name)
  return typeof value === 'number' ? value : 0
}

export async function readTexts(bus: Bus, path: string | undefined, kind: string, name: string): Promise<string[]> {
  const value = await readProperty(bus, path, kind, name)
  return Array.isArray(value) ? value.map(String) : []
}

/** Check of each new connection: a bus may exist without systemd, or before systemd has returned to it. */
export const versionQuery: BusCall = propertyQuery(undefined, 'Manager', 'Version')

/** systemd's version. Throws ReeveError `unavailable`. */
export async function readVersion(bus: Bus): Promise<string> {
  return String(await readProperty(bus, undefined, 'Manager', 'Version'))
}

/** The manager's search path for units, in order of preference. */
export function readUnitPath(bus: Bus): Promise<string[]> {
  return readTexts(bus, undefined, 'Manager', 'UnitPath')
}
