import { createDictionary } from '../../src/core/dictionary.ts'
import { wasThere } from '../../src/core/file-age.ts'
import type { Loaded } from '../../src/core/observed.ts'
import type { Action, ReadHost } from '../../src/core/provider.ts'
import { declaredTriggers, findStale, listRunning } from './adoption.ts'
import type { Application, JobContext } from './batch.ts'
import { isForgotten, noteCompletion } from './completion.ts'
import type { Disk } from './disk.ts'
import {
  digestOf,
  findLoaded,
  findLoadedTrigger,
  readInvocation,
  readOlder,
  readStart,
  readStateChange,
} from './loaded.ts'
import { findUnits, type LoadedUnit, readNumber } from './manager.ts'
import { readMarker } from './marker.ts'
import { noteRecord } from './records.ts'
import { unitsOf } from './trigger.ts'
import { unitOf } from './unit-name.ts'
import { findWritten } from './written.ts'

/**
 * Has a unit read its files by `act`, and writes down what it has read; see records.ts. Whatever the service is shut in doesn't
 * matter: they are read from here. Of a run that was cut off in between, times tell.
 */
export async function recordRun(
  kind: 'start' | 'reload',
  unit: string,
  context: JobContext,
  act: () => Promise<void>,
): Promise<void> {
  const { bus, units, disk, layout, host } = context
  const written = findWritten(unit, disk.find(unit), layout, host)
  const paths = written?.ownership.files ?? []
  if (written?.definition === undefined || (kind === 'start' && paths.length === 0)) return act()
  const before = new Map(paths.map(path => [path, look(path, host)]))
  const former = units.get(unit)
  const formerInvocation = former && (await readInvocation(bus, former))
  const began = host.now()
  await act()
  const found = (await findUnits(bus, [unit])).get(unit)
  if (!found) return
  const invocation = await readInvocation(bus, found)
  // A start of what runs already starts nothing.
  if (kind === 'start' && invocation === formerInvocation) return
  const since = invocation === formerInvocation ? began : await readStart(found, bus)
  const files = paths.map((path): [string, string] => [path, settle(path, before.get(path), since, host)])
  const changed = await readStateChange(bus, found)
  const record = { invocation, definition: written.definition, files: createDictionary(files), changed }
  noteRecord(found.name, record, layout, host)
}

interface Sight {
  readonly digest: string
  readonly changed: number | undefined
}

function look(path: string, host: ReadHost): Sight {
  const digest = digestOf(path, host)
  return { digest, changed: host.facts(path)?.changed }
}

/** What it found: a program that has changed the file since has read it before. */
function settle(path: string, before: Sight | undefined, since: number, host: ReadHost): string {
  const after = look(path, host)
  const isNewBefore = after.changed !== before?.changed && after.changed !== undefined && wasThere(after.changed, since)
  return before === undefined || isNewBefore ? after.digest : before.digest
}

/**
 * What runs goes on though its unit is written anew, and is known by what it has read: also where that unit is somebody else's
 * till now. Written down first of all: once the unit is written, its age tells nothing any more.
 */
export async function keepRuns(actions: readonly Action[], disk: Disk, application: Application): Promise<void> {
  const { bus } = application
  const names = actions.flatMap(({ service, definition }) => [
    ...unitsOf(service, disk),
    ...(definition ? declaredTriggers(service, definition, disk) : []),
  ])
  const units = await findUnits(bus, names)
  await Promise.all(actions.map(action => keepRun(action, disk, units, application)))
}

async function keepRun(
  { service, definition }: Action,
  disk: Disk,
  units: ReadonlyMap<string, LoadedUnit>,
  application: Application,
): Promise<void> {
  if (!definition) return
  const { bus, layout, host } = application
  const unit = unitOf(service)
  const written = findWritten(unit, disk.find(unit), layout, host)
  const triggers = declaredTriggers(service, definition, disk)
  const own = units.get(unit)
  const isJob = !written && triggers.length === 0 && own?.active === 'inactive' && isForgotten({ unit, disk })
  const isDone = isJob && (await readStart(own, bus)) > 0
  const running = listRunning(service, { disk, units, triggers, isDone })
  if (running.length === 0) return
  const since = Math.min(...(await Promise.all(running.map(one => readStart(one, bus)))))
  for (const one of running) {
    const loaded = await findWhat(one)
    if (!loaded) continue
    if (one.active === 'inactive') noteCompletion(unit, loaded, host, layout)
    else await noteUnit(one, loaded)
  }

  async function findWhat(one: LoadedUnit): Promise<Loaded | undefined> {
    const own = await findOwn(one)
    if (!definition || own?.definition === definition.digest) return own && withOlderFiles(own)
    if (written || (await findStale(running, service, definition, { ...application, disk })) !== undefined) return own
    return withOlderFiles({ definition: definition.digest, files: {} })
  }

  async function findOwn(one: LoadedUnit): Promise<Loaded | undefined> {
    const file = disk.find(one.name)
    if (!one.name.endsWith('.service')) {
      return file.kind === 'found' ? findLoadedTrigger(one, file.path, written, application) : undefined
    }
    return findLoaded(one, await readNumber(bus, one.path, 'Service', 'MainPID'), written, application)
  }

  /** With those that are named only now. */
  function withOlderFiles(loaded: Loaded): Loaded {
    const files = createDictionary(Object.entries(loaded.files))
    for (const path of definition?.files.flatMap(({ content }) => readMarker(content)?.files ?? []) ?? []) {
      const digest = path in files ? undefined : readOlder(path, since, host)
      if (digest !== undefined) files[path] = digest
    }
    return { ...loaded, files }
  }

  async function noteUnit(one: LoadedUnit, loaded: Loaded): Promise<void> {
    const [invocation, changed] = await Promise.all([readInvocation(bus, one), readStateChange(bus, one)])
    noteRecord(one.name, { ...loaded, invocation, changed }, layout, host)
  }
}
