import { hash } from 'node:crypto'
import { createDictionary } from '../../src/core/dictionary.ts'
import type { Loaded } from '../../src/core/observed.ts'
import type { Bus, ReadHost } from '../../src/core/provider.ts'
import type { Layout } from './layout.ts'
import { type LoadedUnit, readNumber, readProperty, readTexts } from './manager.ts'
import { definitionVariable, hasRecord, type LoadRecord, readRecord, unknownDigest } from './records.ts'
import type { Written } from './written.ts'

/**
 * What the running process has read: by the record, if it is of this very start, else by its environment. Programs that
 * write their title over their environment, units without a process, and those of which a drop-in takes back all variables
 * (`Environment=`), tell neither: then what is on the disk counts as read if it is older than the start.
 */
export async function findLoaded(
  unit: LoadedUnit,
  pid: number,
  written: Written | undefined,
  { bus, host, layout }: { readonly bus: Bus; readonly host: ReadHost; readonly layout: Layout },
): Promise<Loaded | undefined> {
  const environment = pid > 0 ? readEnvironment(host, pid) : undefined
  // Where the file of a unit is gone, its process still knows what it has read. One that isn't Reeve's knows nothing.
  if (!written && !hasRecord(unit.name, layout, host) && !environment?.has(definitionVariable)) return undefined
  const invocation = environment?.get('INVOCATION_ID') ?? (await readInvocation(bus, unit))
  const record = readRecord(unit.name, invocation, layout, host)
  if (record !== undefined) {
    return { definition: record.definition, files: await settleUnknown(record, unit, written, { bus, host }) }
  }
  const definition = environment?.get(definitionVariable)
  if (definition !== undefined && environment?.has('INVOCATION_ID')) return { definition, files: {} }
  // It was started without, and would not be now; or a drop-in takes back all variables, and there is no telling by them.
  if (environment?.has('INVOCATION_ID') && (await setsVariable(unit, bus))) return undefined
  if (written?.definition === undefined || !(await isOlder(written.path, unit, bus, host))) return undefined
  const files = createDictionary<string>()
  for (const path of written.ownership.files) {
    if (await isOlder(path, unit, bus, host)) files[path] = digestOf(path, host)
  }
  return { definition: written.definition, files }
}

async function setsVariable({ path }: LoadedUnit, bus: Bus): Promise<boolean> {
  const variables = await readTexts(bus, path, 'Service', 'Environment')
  return variables.some(variable => variable.startsWith(`${definitionVariable}=`))
}

/**
 * Of a socket, a timer or another unit that has no process to tell: by its file. What it starts reads the rest when it is
 * started.
 */
export async function findLoadedTrigger(
  trigger: LoadedUnit,
  path: string,
  written: Written | undefined,
  { bus, host }: { readonly bus: Bus; readonly host: ReadHost },
): Promise<Loaded | undefined> {
  if (written?.definition === undefined || !(await isOlder(path, trigger, bus, host))) return undefined
  const files = written.ownership.files.map((path): [string, string] => [path, digestOf(path, host)])
  return { definition: written.definition, files: createDictionary(files) }
}

/** What the service's own user couldn't read. Root reads nothing that only the record names. */
async function settleUnknown(
  { files }: LoadRecord,
  unit: LoadedUnit,
  written: Written | undefined,
  { bus, host }: { readonly bus: Bus; readonly host: ReadHost },
): Promise<Readonly<Record<string, string>>> {
  const settled = createDictionary<string>()
  for (const [path, digest] of Object.entries(files)) {
    if (digest !== unknownDigest) settled[path] = digest
    else if (!written?.ownership.files.includes(path)) continue
    else if (await isOlder(path, unit, bus, host)) settled[path] = digestOf(path, host)
  }
  return settled
}

/** True if the file was there as it is when the unit was started. A time in the future tells nothing, and counts as old. */
async function isOlder(path: string, { path: object }: LoadedUnit, bus: Bus, host: ReadHost): Promise<boolean> {
  const modified = host.facts(path)?.modified
  if (modified === undefined || modified > host.now()) return true
  return modified < (await readNumber(bus, object, 'Unit', 'InactiveExitTimestamp')) / 1_000
}

export function digestOf(path: string, host: ReadHost): string {
  const content = host.readFile(path)
  return content === undefined ? 'absent' : sha256(content)
}

export function sha256(content: Uint8Array | string): string {
  return hash('sha256', content)
}

/** Undefined if it can't be read, or is no environment any more. */
function readEnvironment(host: ReadHost, pid: number): ReadonlyMap<string, string> | undefined {
  try {
    const text = host.readText(`/proc/${pid}/environ`)
    const lines = text?.split('\0').map(line => /^([^=]+)=(.*)$/s.exec(line) ?? [])
    return lines && new Map(lines.map(([, name = '', value = '']) => [name, value]))
  } catch {
    return undefined // another user's, or one that lets nobody look
  }
}

export async function readInvocation(bus: Bus, { path }: LoadedUnit): Promise<string> {
  const id = await readProperty(bus, path, 'Unit', 'InvocationID')
  return id instanceof Uint8Array ? Buffer.from(id).toString('hex') : ''
}
