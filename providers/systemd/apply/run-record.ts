import type { ReadHost } from '../../../src/core/contracts/host.ts'
import { createDictionary } from '../../../src/core/dictionary.ts'
import { wasThere } from '../../../src/core/state/file-age.ts'
import { findUnits } from '../bus/manager.ts'
import { digestOf, readInvocation, readStart, readStateChange } from '../observe/loaded-definition.ts'
import { findManagedUnits } from '../observe/managed-units.ts'
import { noteRecord } from '../observe/records.ts'
import type { JobContext } from './batch.ts'

/**
 * Has a unit load its files by `act`, and records what it has loaded; see records.ts. The service's sandbox doesn't matter:
 * the files are read from here. If the run is interrupted in between, file times decide.
 */
export async function recordRun(
  kind: 'start' | 'reload',
  unit: string,
  context: JobContext,
  act: () => Promise<void>,
): Promise<void> {
  const { bus, units, disk, layout, host } = context
  const written = findManagedUnits(unit, disk.find(unit), layout, host)
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
  // A start of a running service starts nothing.
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

/** Content that it found: a program that has changed the file since has read it before. */
function settle(path: string, before: Sight | undefined, since: number, host: ReadHost): string {
  const after = look(path, host)
  const isNewBefore = after.changed !== before?.changed && after.changed !== undefined && wasThere(after.changed, since)
  return before === undefined || isNewBefore ? after.digest : before.digest
}
