import { basename, relative } from 'node:path'
import type { ReadHost } from '../../../src/core/contracts/host.ts'
import type { Definition } from '../../../src/core/model/definition.ts'
import { wasThere } from '../../../src/core/state/file-age.ts'
import type { Observed } from '../../../src/core/state/observed.ts'
import { createAgeReader } from '../../posix/process-age.ts'
import { findUnits, type LoadedUnit, readNumber, readProperty, readTexts, readUnitPath } from '../bus/manager.ts'
import { triggerNames, unitsOf } from '../units/activation-trigger.ts'
import { saysTheSame } from '../units/unit-form.ts'
import { unitOf } from '../units/unit-name.ts'
import { readUnitSearchPath, type UnitSearchPath } from '../units/unit-search-path.ts'
import type { Ground } from './ground.ts'
import { readStart } from './loaded-definition.ts'
import { type ObserverGround, observeService } from './observation.ts'

/**
 * Observes a stranger's service as if the declared definition were its own (E20). The process can continue if it was started
 * with what the definition says: the same unit and drop-ins, as systemd has loaded them, and unchanged since the start.
 */
export async function observeAdoptable(
  service: string,
  definition: Definition,
  ground: ObserverGround,
): Promise<Observed> {
  const { bus, host } = ground
  const disk = readUnitSearchPath(host, await readUnitPath(bus), 1)
  const triggers = declaredTriggers(service, definition, disk)
  const units = await findUnits(bus, [...unitsOf(service, disk), ...triggers])
  const look = { ...ground, disk, units, asked: 1, sinceWhen: createAgeReader(host) }
  const observed = await observeService(service, look, triggers.length > 0 ? triggers : undefined)
  const { loaded, ...rest } = observed
  const isKnown = loaded?.definition === definition.digest
  const running = listRunning(service, { disk, units, triggers, isDone: observed.completed === true })
  if (isKnown || running.length === 0) return observed
  const stale = await findStale(running, service, definition, look)
  if (stale !== undefined) return { ...rest, stale }
  const startedAt = Math.min(...(await Promise.all(running.map(unit => readStart(unit, bus)))))
  return { ...rest, loaded: { definition: definition.digest, files: loaded?.files ?? {} }, startedAt }
}

/** Existing units of the definition that start the service. */
export function declaredTriggers(service: string, definition: Definition | undefined, disk: UnitSearchPath): string[] {
  const declared = new Set(definition?.files.map(({ path }) => basename(path)))
  return triggerNames(service).filter(name => declared.has(name) && disk.find(name).kind === 'found')
}

interface Found {
  readonly disk: UnitSearchPath
  readonly units: ReadonlyMap<string, LoadedUnit>
  readonly triggers: readonly string[]
  /** A job that has ended, and isn't to be run again. */
  readonly isDone: boolean
}

/** Units that must not be touched: the service's own and those that start it. */
export function listRunning(service: string, { disk, units, triggers, isDone }: Found): LoadedUnit[] {
  const [own = unitOf(service)] = unitsOf(service, disk)
  return [own, ...triggers].flatMap(name => {
    const unit = units.get(name)
    if (!unit) return []
    const isUp = upStates.has(unit.active) && unit.sub !== 'auto-restart'
    return isUp || (name === own && isDone) ? [unit] : []
  })
}

const upStates: ReadonlySet<string> = new Set(['active', 'reloading', 'refreshing', 'activating'])

interface StaleLook extends Ground {
  readonly disk: UnitSearchPath
}

/** Reason why the running unit isn't as declared, for people. Undefined: it is. */
export async function findStale(
  running: readonly LoadedUnit[],
  service: string,
  definition: Definition,
  look: StaleLook,
): Promise<string | undefined> {
  for (const unit of running) {
    const stale = findDifference(unit, service, definition, look) ?? (await findChange(unit, look))
    if (stale !== undefined) return stale
  }
  return undefined
}

function findDifference(
  { name }: LoadedUnit,
  service: string,
  { files }: Definition,
  look: StaleLook,
): string | undefined {
  const unit = unitOf(service)
  const names = new Set([unit, ...triggerNames(service)])
  if (!names.has(name)) return `${unit} is but another name of ${name} on this host`
  for (const { path, content } of files) {
    const [part = '', dropIn] = relative(look.layout.unitDirectory, path).split('/')
    const owner = dropIn === undefined ? part : part.replace(/\.d$/, '')
    if (owner !== name || saysTheSame(readPart(name, dropIn, look), content)) continue
    return dropIn === undefined
      ? `the manifest defines ${name} otherwise than it is on this host`
      : `the manifest has another drop-in ${dropIn} of ${name} than this host`
  }
  return undefined
}

/** Text of the unit, or of its drop-in of that name. Empty: there is none. */
function readPart(name: string, dropIn: string | undefined, { host, disk }: StaleLook): string {
  if (dropIn !== undefined) {
    const path = disk.dropIns(name).find(found => basename(found) === dropIn)
    return path === undefined ? '' : (host.readText(path) ?? '')
  }
  const file = disk.find(name)
  return file.kind === 'found' ? file.text : ''
}

/** Files that have changed since the unit was started, or since systemd has loaded it. */
async function findChange(unit: LoadedUnit, { bus, host, disk }: StaleLook): Promise<string | undefined> {
  const file = disk.find(unit.name)
  if (file.kind !== 'found') return `${unit.name} is gone from the disk`
  const [fragment, loadedDropIns, isPending, since, loadedAt] = await Promise.all([
    readProperty(bus, unit.path, 'Unit', 'FragmentPath').then(String),
    readTexts(bus, unit.path, 'Unit', 'DropInPaths'),
    readProperty(bus, unit.path, 'Unit', 'NeedDaemonReload'),
    readStart(unit, bus),
    readNumber(bus, undefined, 'Manager', 'UnitsLoadTimestamp'),
  ])
  const pending = 'and systemd has not loaded that yet (daemon-reload is pending)'
  if (isPending === true) return `${unit.name} changed on disk, ${pending}`
  if (host.realPath(fragment) !== host.realPath(file.path))
    return `${file.path} took the place of ${fragment}, ${pending}`
  const dropIns = disk.dropIns(unit.name).filter(path => host.realPath(path) !== '/dev/null')
  const unloaded = dropIns.find(path => !loadedDropIns.includes(path))
  if (unloaded !== undefined) return `${unloaded} came, ${pending}`
  for (const path of [file.path, ...loadedDropIns]) {
    const times = timesOf(path, host)
    if (!times) return `${path} is gone, ${pending}`
    if (!wasThere(times.changed, since)) return `${path} changed on disk after ${unit.name} was started`
    // systemd goes by the modification time, which copying sets back.
    const isPlain = Math.abs(times.changed - times.modified) < 1_000
    if (!isPlain && !wasThere(times.changed, loadedAt / 1_000)) {
      return `${path} was put there with an older date than it has come, so that it can't be told whether systemd has loaded it`
    }
  }
  return undefined
}

/** Of the file and of the link that leads to it. */
function timesOf(path: string, host: ReadHost): { readonly changed: number; readonly modified: number } | undefined {
  const [own, real] = [host.facts(path), host.facts(host.realPath(path) ?? path)]
  if (!own || !real) return undefined
  return { changed: Math.max(own.changed, real.changed), modified: real.modified }
}
