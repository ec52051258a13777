import { join } from 'node:path'
import type { ReadHost, WriteHost } from '../../core/contracts/host.ts'
import { isObject, parseJson } from '../../core/outside-value.ts'
import type { Reason } from '../../core/plan/reason.ts'
import type { Verb } from '../../core/plan/verb.ts'
import { readTrusted } from '../../host/trusted-reading.ts'

/**
 * History of steps: one JSON object per line, in the state directory. It has only fields of steps, never content of definitions or
 * files, so that no secret can get in (S4). Nothing depends on it (E18).
 */
export interface HistoryEntry {
  /** ISO 8601; when it ended. */
  readonly time: string
  readonly facility: string
  /** Former name of a facility that this step renamed, whose history includes the entries of that name. */
  readonly renamedFrom?: string
  readonly supervisor: string
  readonly service: string
  /** Verb of the step, or `suspend` or `resume`. */
  readonly verb: Verb | 'suspend' | 'resume'
  readonly reason: Reason
  readonly result: 'done' | 'failed' | 'aborted'
  /** Milliseconds. */
  readonly duration: number
  /** Id of the step in its plan, or a name of that form. */
  readonly step: string
  /** Message of the error. */
  readonly error?: string
  /** What caused the step, if it wasn't a plain pass: `reeve restart web`. */
  readonly trigger?: string
}

export interface History {
  append(entry: HistoryEntry): void
}

export interface HistoryQuery {
  readonly facility?: string
  /** Number of newest entries. Default: all. */
  readonly limit?: number
}

const fileName = 'history.jsonl'
const olderFileName = 'history.1.jsonl'

/** Size in bytes at which the file is rotated; one former file is kept. */
const historyLimit = 4 * 1024 * 1024

/** For the holder of the writer's lock. */
export function openHistory(stateDirectory: string, host: WriteHost, limit: number = historyLimit): History {
  const path = join(stateDirectory, fileName)
  /** False until the file is known to end with a whole line. */
  let clean = false
  return {
    append(entry) {
      const size = host.facts(path)?.size ?? 0
      if (size >= limit) host.moveFile(path, join(stateDirectory, olderFileName))
      // A write cut off by a full disk or a power failure leaves an incomplete line: don't continue it.
      const start = clean || size >= limit || endsWhole(path, host) ? '' : '\n'
      clean = false
      host.appendFile(path, `${start}${JSON.stringify(entry)}\n`, { mode: 0o600 })
      clean = true
    },
  }
}

function endsWhole(path: string, host: ReadHost): boolean {
  const content = host.readFile(path)
  return content === undefined || content.length === 0 || content.at(-1) === 0x0a
}

/** Reads entries, the newest last. Lines that are no entries are skipped. Throws ReeveError if a file cannot be read. */
export function readHistory(stateDirectory: string, host: ReadHost, query: HistoryQuery = {}): HistoryEntry[] {
  const all: HistoryEntry[] = []
  for (const name of [olderFileName, fileName]) {
    for (const line of (readTrusted(join(stateDirectory, name), host) ?? '').split('\n')) {
      const entry = parseEntry(line)
      if (entry) all.push(entry)
    }
  }
  const entries = query.facility === undefined ? all : entriesOf(query.facility, all)
  return query.limit === undefined ? entries : entries.slice(Math.max(0, entries.length - query.limit))
}

/** Entries of the facility, and of its former names up to each renaming. */
function entriesOf(facility: string, all: readonly HistoryEntry[]): HistoryEntry[] {
  const names = new Set([facility])
  const entries: HistoryEntry[] = []
  for (const entry of [...all].reverse()) {
    if (!names.has(entry.facility)) continue
    entries.push(entry)
    if (entry.renamedFrom !== undefined) names.add(entry.renamedFrom)
  }
  return entries.reverse()
}

function parseEntry(line: string): HistoryEntry | undefined {
  const value = parseJson(line)
  return isEntry(value) ? value : undefined
}

/** Checks only the fields that readers rely on, as Reeve itself wrote the file. */
function isEntry(value: unknown): value is HistoryEntry {
  const fields = ['time', 'facility', 'supervisor', 'service', 'verb', 'reason', 'result', 'step']
  return isObject(value) && fields.every(field => typeof value[field] === 'string')
}
