import type { Bus } from '../../../src/core/contracts/bus.ts'
import type { ReadHost } from '../../../src/core/contracts/host.ts'
import { createDictionary } from '../../../src/core/dictionary.ts'
import { wasThere } from '../../../src/core/state/file-age.ts'
import type { Loaded } from '../../../src/core/state/observed.ts'
import { sha256 } from '../../../src/host/sha256.ts'
import { type LoadedUnit, readNumber, readProperty, readTexts } from '../bus/manager.ts'
import { definitionVariable } from '../units/marker.ts'
import type { Ground } from './ground.ts'
import type { ManagedUnits } from './managed-units.ts'
import { hasRecord, type LoadRecord, readRecord, unknownDigest } from './records.ts'

export interface LoadedDefinition {
  readonly loaded: Loaded
  /** File states that are never recorded, and may be unknown later. */
  readonly isByAge: boolean
}

/**
 * Definition and files that the running process has loaded: from the record of this start; else the definition from its
 * environment, and files by their age. Programs that write their title over their environment, units without a process, and
 * those with a drop-in that resets all variables (`Environment=`), don't show their definition: then the one on the disk
 * counts as loaded if it is older than the start, as files do.
 */
export async function findLoaded(
  unit: LoadedUnit,
  pid: number,
  written: ManagedUnits | undefined,
  look: Ground,
): Promise<LoadedDefinition | undefined> {
  const { bus, host, layout } = look
  const environment = pid > 0 ? readEnvironment(host, pid) : undefined
  // If the file of a unit is gone, its process still knows its definition. One that isn't Reeve's has none.
  if (!written && !hasRecord(unit.name, layout, host) && !environment?.has(definitionVariable)) return undefined
  const invocation = environment?.get('INVOCATION_ID') ?? (await readInvocation(bus, unit))
  const record = readRecord(unit.name, invocation, layout, host)
  const definition = record?.definition ?? (await findDefinition(unit, environment, written, look))
  if (definition === undefined) return undefined
  const { files, isByAge } = await findFiles(record, unit, written, look)
  return { loaded: { definition, files }, isByAge }
}

async function findDefinition(
  unit: LoadedUnit,
  environment: ReadonlyMap<string, string> | undefined,
  written: ManagedUnits | undefined,
  { bus, host }: Ground,
): Promise<string | undefined> {
  if (environment?.has('INVOCATION_ID')) {
    const told = environment.get(definitionVariable)
    // It was started without the variable, and would not be now; or a drop-in resets all variables, and nothing can be told
    // by them.
    if (told !== undefined || (await setsVariable(unit, bus))) return told
  }
  if (written?.definition === undefined) return undefined
  return isOlder(written.path, await readStart(unit, bus), host) ? written.definition : undefined
}

async function setsVariable({ path }: LoadedUnit, bus: Bus): Promise<boolean> {
  const variables = await readTexts(bus, path, 'Service', 'Environment')
  return variables.some(variable => variable.startsWith(`${definitionVariable}=`))
}

async function findFiles(
  record: LoadRecord | undefined,
  unit: LoadedUnit,
  written: ManagedUnits | undefined,
  { bus, host }: Ground,
): Promise<{ readonly files: Loaded['files']; readonly isByAge: boolean }> {
  const files = createDictionary<string>()
  const declared = written?.ownership.files ?? []
  const told = Object.entries(record?.files ?? {})
  const isReloaded =
    told.length > 0 && record?.changed !== undefined && (await readStateChange(bus, unit)) !== record.changed
  for (const [path, digest] of isReloaded ? [] : told) {
    if (digest !== unknownDigest) files[path] = digest
  }
  const untold = declared.filter(path => !(path in files))
  if (untold.length === 0) return { files, isByAge: false }
  const since = isReloaded ? await readLastReload(unit, bus) : await readStart(unit, bus)
  for (const path of untold) {
    const digest = readOlder(path, since, host)
    if (digest !== undefined) files[path] = digest
  }
  return { files, isByAge: untold.some(path => path in files) }
}

/**
 * For a socket, a timer or another unit without a process: by the record of its start, or by its file. The service that it
 * starts reads the rest when it is started.
 */
export async function findLoadedTrigger(
  trigger: LoadedUnit,
  path: string,
  written: ManagedUnits | undefined,
  { bus, host, layout }: Ground,
): Promise<Loaded | undefined> {
  if (written?.definition === undefined) return undefined
  const definition =
    readRecord(trigger.name, await readInvocation(bus, trigger), layout, host)?.definition ??
    (isOlder(path, await readStart(trigger, bus), host) ? written.definition : undefined)
  if (definition === undefined) return undefined
  const files = written.ownership.files.map((path): [string, string] => [path, digestOf(path, host)])
  return { definition, files: createDictionary(files) }
}

/** Start time of a unit, in ms since 1970: it reads its files after that. */
export async function readStart({ path }: LoadedUnit, bus: Bus): Promise<number> {
  return (await readNumber(bus, path, 'Unit', 'InactiveExitTimestamp')) / 1_000
}

/** Last change of state, in µs since 1970. For a running unit, its start or the end of its last reload. */
export function readStateChange(bus: Bus, { path }: LoadedUnit): Promise<number> {
  return readNumber(bus, path, 'Unit', 'StateChangeTimestamp')
}

/** Begin of the last reload, in ms since 1970; the start time if systemd doesn't know it or it has failed. */
async function readLastReload(unit: LoadedUnit, bus: Bus): Promise<number> {
  const commands = await readProperty(bus, unit.path, 'Service', 'ExecReload')
  const began = Array.isArray(commands) ? commands.map(reloadStart) : []
  const first = began.length > 0 && !began.includes(0) ? Math.min(...began) / 1_000 : 0
  return Math.max(first, await readStart(unit, bus))
}

/** Path, words, whether failures are ignored, begin, monotonic, end, monotonic, pid, how and with what it ended. */
function reloadStart(command: unknown): number {
  const [, , , began, , , , , how, status]: unknown[] = Array.isArray(command) ? command : []
  return typeof began === 'number' && how === exited && status === 0 ? began : 0
}

/** CLD_EXITED of waitid(2). */
const exited = 1

/** True if the file existed as it is at that time. A time in the future tells nothing, and counts as old. */
export function isOlder(path: string, time: number, host: ReadHost): boolean {
  const changed = host.facts(path)?.changed
  return changed === undefined || changed > host.now() || wasThere(changed, time)
}

/** Digest of the file's content, if that was in it at that time. */
export function readOlder(path: string, time: number, host: ReadHost): string | undefined {
  // Read first: a change meanwhile is newer.
  const digest = digestOf(path, host)
  return digest !== unknownDigest && isOlder(path, time, host) ? digest : undefined
}

/** `unknown` for a path that is no readable file. */
export function digestOf(path: string, host: ReadHost): string {
  try {
    const content = host.readFile(path)
    return content === undefined ? 'absent' : sha256(content)
  } catch {
    return unknownDigest
  }
}

/** Undefined if it is unreadable, or no environment any more. */
function readEnvironment(host: ReadHost, pid: number): ReadonlyMap<string, string> | undefined {
  try {
    const text = host.readText(`/proc/${pid}/environ`)
    const lines = text?.split('\0').map(line => /^([^=]+)=(.*)$/s.exec(line) ?? [])
    return lines && new Map(lines.map(([, name = '', value = '']) => [name, value]))
  } catch {
    return undefined // another user's, or one that denies access
  }
}

export async function readInvocation(bus: Bus, { path }: LoadedUnit): Promise<string> {
  const id = await readProperty(bus, path, 'Unit', 'InvocationID')
  return id instanceof Uint8Array ? Buffer.from(id).toString('hex') : ''
}
