import { join } from 'node:path'
import type { ReadHost, WriteHost } from '../../../src/core/contracts/host.ts'
import { createDictionary } from '../../../src/core/dictionary.ts'
import type { Loaded } from '../../../src/core/state/observed.ts'
import type { Layout } from '../units/layout.ts'

/**
 * Record of what a process has loaded, which has to be read from the host (E4). A variable in its environment shows the
 * definition. Configuration files, adopted definitions and reloads are in a record that only root can write:
 * `RUNTIME/reeve-runs/UNIT`. Reeve writes it from outside of the service's sandbox. After a start without Reeve there is none,
 * and file times decide; see loaded-definition.ts. It is valid for one invocation of the unit, and is gone with the boot.
 *
 *   INVOCATION-ID DEFINITION-DIGEST STATE-CHANGE
 *   SHA-256 PATH          (`unknown` instead: file times decide)
 */
export interface LoadRecord extends Loaded {
  readonly invocation: string
  /**
   * `StateChangeTimestamp` of the unit (µs since 1970) when the record was written: a different one means that somebody has
   * reloaded the service since. Absent: an earlier version wrote the record, or the unit itself as units of earlier versions
   * did.
   */
  readonly changed?: number
}

export const unknownDigest = 'unknown'

/** Units of earlier versions had this as their `RuntimeDirectory=`, and wrote their records there by themselves. */
const earlierDirectory = /^RuntimeDirectory=reeve-loaded\//m

/** True if an earlier version of Reeve has written the unit or drop-in. */
export function isOfEarlierVersion(text: string): boolean {
  return earlierDirectory.test(text)
}

/** Size limit of a record: that of so many paths. */
const limit = 1024 * 1024

/** Record of a unit that is valid for this start; undefined if there is none or it is unreadable. */
export function readRecord(unit: string, invocation: string, layout: Layout, host: ReadHost): LoadRecord | undefined {
  for (const path of recordPaths(unit, layout)) {
    const record = readRecordFile(path, host)
    if (record?.invocation === invocation) return record
  }
  return undefined
}

/** True if there is a record of any start. */
export function hasRecord(unit: string, layout: Layout, host: ReadHost): boolean {
  return recordPaths(unit, layout).some(path => readRecordFile(path, host) !== undefined)
}

/**
 * Paths of records. The last two are those of earlier versions. A record that a service's user may have written only decides
 * whether that service has to be restarted.
 */
function recordPaths(unit: string, { runtime, recordDirectory }: Layout): string[] {
  const earlier = [join(runtime, 'reeve-reloaded', unit), join(runtime, 'reeve-loaded', unit, 'loaded')]
  return [join(recordDirectory, unit), ...earlier]
}

function readRecordFile(path: string, host: ReadHost): LoadRecord | undefined {
  try {
    // Most have none, and finding that out by an exception takes ten times as long.
    return host.facts(path)?.kind === 'file' ? parseRecord(host.readText(path, limit)) : undefined
  } catch {
    return undefined // replaced by the service's user
  }
}

/** The digest of a short file reveals its content, so nobody else may read it. */
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
