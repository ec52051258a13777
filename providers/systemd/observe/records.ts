import { join } from 'node:path'
import type { ReadHost, WriteHost } from '../../../src/core/contracts/host.ts'
import { createDictionary } from '../../../src/core/dictionary.ts'
import type { Loaded } from '../../../src/core/state/observed.ts'
import type { Layout } from '../units/layout.ts'

/**
 * What a process has loaded has to be read from the host (E4). Of its definition, a variable in its environment tells. Of its
 * configuration files, and of what was adopted or read anew at a reload, a record does, where only root can write:
 * `RUNTIME/reeve-runs/UNIT`. Reeve writes it from outside of whatever the service is shut in; of a start that Reeve had no part
 * in there is none, and times tell; see loaded.ts. It counts for one invocation of the unit, and is gone with the boot.
 *
 *   INVOCATION-ID DEFINITION-DIGEST STATE-CHANGE
 *   SHA-256 PATH          (`unknown` instead: times tell)
 */
export interface LoadRecord extends Loaded {
  readonly invocation: string
  /**
   * The unit's `StateChangeTimestamp` (µs since 1970) when it was written: another one says that somebody has reloaded the
   * service since. Absent: an earlier version wrote it, or the unit itself as units of earlier versions did.
   */
  readonly changed?: number
}

/** The variable with `Definition.digest` of the definition that the process was started with. */
export const definitionVariable = 'REEVE_DEFINITION'

export const unknownDigest = 'unknown'

/** Units of earlier versions had this as their `RuntimeDirectory=`, and wrote their records there by themselves. */
const earlierDirectory = /^RuntimeDirectory=reeve-loaded\//m

/** True if a unit or drop-in is as an earlier version of Reeve has written it. */
export function isOfEarlierVersion(text: string): boolean {
  return earlierDirectory.test(text)
}

/** No record is larger than that of so many paths. */
const limit = 1024 * 1024

/** The record of a unit that counts for this start; undefined if there is none that can be read. */
export function readRecord(unit: string, invocation: string, layout: Layout, host: ReadHost): LoadRecord | undefined {
  for (const path of recordPaths(unit, layout)) {
    const record = readRecordFile(path, host)
    if (record?.invocation === invocation) return record
  }
  return undefined
}

/** True if there is one of any start. */
export function hasRecord(unit: string, layout: Layout, host: ReadHost): boolean {
  return recordPaths(unit, layout).some(path => readRecordFile(path, host) !== undefined)
}

/**
 * The last two are those of earlier versions. What a service's user may have written counts for nothing but whether that service
 * has to be restarted.
 */
function recordPaths(unit: string, { runtime, recordDirectory }: Layout): string[] {
  const earlier = [join(runtime, 'reeve-reloaded', unit), join(runtime, 'reeve-loaded', unit, 'loaded')]
  return [join(recordDirectory, unit), ...earlier]
}

function readRecordFile(path: string, host: ReadHost): LoadRecord | undefined {
  try {
    // Most have none, and to find that out by failing takes ten times as long.
    return host.facts(path)?.kind === 'file' ? parseRecord(host.readText(path, limit)) : undefined
  } catch {
    return undefined // the service's user has put something else there
  }
}

/** By a digest, what is in a short file can be guessed, so nobody else reads it. */
export function noteRecord(unit: string, record: LoadRecord, { recordDirectory }: Layout, host: WriteHost): void {
  host.makeDirectory(recordDirectory, { mode: 0o700 })
  host.writeFile(join(recordDirectory, unit), writeRecord(record), { mode: 0o600, isFleeting: true })
}

export function forgetRecord(unit: string, { runtime, recordDirectory }: Layout, host: WriteHost): void {
  for (const path of [join(recordDirectory, unit), join(runtime, 'reeve-reloaded', unit)]) {
    if (host.facts(path)) host.removeFile(path)
  }
}

export function writeRecord({ invocation, definition, files, changed }: LoadRecord): string {
  const lines = Object.entries(files).map(([path, digest]) => `${digest} ${path}`)
  return [`${invocation} ${definition}${changed === undefined ? '' : ` ${changed}`}`, ...lines, ''].join('\n')
}

export function parseRecord(text: string | undefined): LoadRecord | undefined {
  const [first = '', ...lines] = (text ?? '').split('\n')
  const [, invocation, definition, changed] = /^([0-9a-f]{32}) ([0-9a-f]{64})(?: (\d{1,17}))?$/.exec(first) ?? []
  if (invocation === undefined || definition === undefined) return undefined
  const files = new Map<string, string>()
  for (const line of lines) {
    const [, digest, path] = /^([0-9a-f]{64}|absent|unknown) (\/.*)$/.exec(line) ?? []
    if (digest !== undefined && path !== undefined) files.set(path, digest)
  }
  return {
    invocation,
    definition,
    files: createDictionary(files),
    ...(changed !== undefined && { changed: Number(changed) }),
  }
}
