import type { Bus } from '../../../src/core/contracts/bus.ts'
import type { WriteHost } from '../../../src/core/contracts/host.ts'
import type { Action } from '../../../src/core/contracts/provider.ts'
import { createDictionary } from '../../../src/core/dictionary.ts'
import type { Definition } from '../../../src/core/model/definition.ts'
import type { Loaded } from '../../../src/core/state/observed.ts'
import { findUnits, type LoadedUnit, readNumber, readUnitPath } from '../bus/manager.ts'
import { declaredTriggers, findStale, listRunning } from '../observe/adoption.ts'
import { isForgotten, noteCompletion } from '../observe/completion.ts'
import {
  findLoaded,
  findLoadedTrigger,
  readInvocation,
  readOlder,
  readStart,
  readStateChange,
} from '../observe/loaded-definition.ts'
import { findManagedUnits } from '../observe/managed-units.ts'
import { noteRecord } from '../observe/records.ts'
import { unitsOf } from '../units/activation-trigger.ts'
import type { Layout } from '../units/layout.ts'
import { readMarker } from '../units/marker.ts'
import { unitOf } from '../units/unit-name.ts'
import { readUnitSearchPath, type UnitSearchPath } from '../units/unit-search-path.ts'
import type { Application } from './batch.ts'

/**
 * Keeps what is known of running processes when their units are replaced, including units of others that are adopted.
 * Recorded first of all: once the unit is written, its age tells nothing any more.
 */
export async function keepRunsOf(
  actions: readonly Action[],
  disk: UnitSearchPath,
  application: Application,
): Promise<void> {
  await keepAll(actions, { ...application, disk })
}

/** Records, for runs started without Reeve, what is known by the age of files, before that tells nothing any more. */
export async function keepRuns(services: readonly string[], layout: Layout, host: WriteHost): Promise<void> {
  using bus = host.openBus(layout.manager)
  const disk = readUnitSearchPath(host, await readUnitPath(bus), services.length)
  const runs = services.map(service => ({ service }))
  await keepAll(runs, { bus, host, layout, disk })
}

interface Context {
  readonly bus: Bus
  readonly host: WriteHost
  readonly layout: Layout
  readonly disk: UnitSearchPath
}

interface Kept {
  readonly service: string
  /** Files that are about to be written. */
  readonly definition?: Definition
}

async function keepAll(runs: readonly Kept[], context: Context): Promise<void> {
  const names = runs.flatMap(({ service, definition }) => [
    ...unitsOf(service, context.disk),
    ...declaredTriggers(service, definition, context.disk),
  ])
  const units = await findUnits(context.bus, names)
  await Promise.all(runs.map(run => keepRun(run, units, context)))
}

async function keepRun(
  { service, definition }: Kept,
  units: ReadonlyMap<string, LoadedUnit>,
  context: Context,
): Promise<void> {
  const { bus, layout, host, disk } = context
  const unit = unitOf(service)
  const written = findManagedUnits(unit, disk.find(unit), layout, host)
  const triggers = declaredTriggers(service, definition, disk)
  const own = units.get(unit)
  const isJob = !written && triggers.length === 0 && own?.active === 'inactive' && isForgotten({ unit, disk })
  const isDone = isJob && (await readStart(own, bus)) > 0
  const running = listRunning(service, { disk, units, triggers, isDone })
  if (running.length === 0) return
  const since = Math.min(...(await Promise.all(running.map(one => readStart(one, bus)))))
  for (const one of running) {
    const loaded = await findWhole(one)
    if (!loaded) continue
    if (one.active === 'inactive') noteCompletion(unit, loaded, host, layout)
    else await note(one, loaded)
  }

  async function findWhole(one: LoadedUnit): Promise<Loaded | undefined> {
    const own = await findOwn(one)
    if (!definition || own?.definition === definition.digest) return own && withOlderFiles(own)
    if (written || (await findStale(running, service, definition, context)) !== undefined) return own
    return withOlderFiles({ definition: definition.digest, files: {} })
  }

  async function findOwn(one: LoadedUnit): Promise<Loaded | undefined> {
    if (one.name.endsWith('.service')) {
      const pid = await readNumber(bus, one.path, 'Service', 'MainPID')
      return (await findLoaded(one, pid, written, context))?.loaded
    }
    const file = disk.find(one.name)
    return file.kind === 'found' ? findLoadedTrigger(one, file.path, written, context) : undefined
  }

  /** Includes files that are named only now. */
  function withOlderFiles(loaded: Loaded): Loaded {
    const files = createDictionary(Object.entries(loaded.files))
    for (const path of definition?.files.flatMap(({ content }) => readMarker(content)?.files ?? []) ?? []) {
      const digest = path in files ? undefined : readOlder(path, since, host)
      if (digest !== undefined) files[path] = digest
    }
    return { ...loaded, files }
  }

  async function note(one: LoadedUnit, loaded: Loaded): Promise<void> {
    const [invocation, changed] = await Promise.all([readInvocation(bus, one), readStateChange(bus, one)])
    noteRecord(one.name, { ...loaded, invocation, changed }, layout, host)
  }
}
