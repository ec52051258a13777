import { join } from 'node:path'
import type { ReadHost, WriteHost } from '../../core/contracts/host.ts'
import type { Reason } from '../../core/plan/reason.ts'
import type { Verb } from '../../core/plan/verb.ts'
import { readTrusted } from '../../host/trusted-reading.ts'

/**
 * What was done, when and why: one JSON object a line in the state directory. Only fields of steps go in, never content
 * of definitions or files, so that no secret can (S4). Losing it loses nothing else (E18).
 */
export interface HistoryEntry {
  /** ISO 8601; when it ended. */
  readonly time: string
  readonly facility: string
  /** What it was called before, where this gave it its new name: what was done under that name is part of its history. */
  readonly renamedFrom?: string
  readonly supervisor: string
  readonly service: string
  /** Of a step, or what people said of the facility. */
  readonly verb: Verb | 'suspend' | 'resume'
  readonly reason: Reason
  readonly result: 'done' | 'failed' | 'aborted'
  /** Milliseconds. */
  readonly duration: number
  /** The step's id in its plan; of what is no step, named alike. */
  readonly step: string
  /** The message of what went wrong. */
  readonly error?: string
  /** Who asked for it, where it wasn't a plain pass: `reeve restart web`. */
  readonly trigger?: string
}

export interface History {
  append(entry: HistoryEntry): void
}

export interface HistoryQuery {
  readonly facility?: string
  /** The newest so many. Default: all that there are. */
  readonly limit?: number
}

const fileName = 'history.jsonl'
const olderFileName = 'history.1.jsonl'

/** In bytes. A file that has grown to it is put aside, and the one put aside before is dropped. */
const historyLimit = 4 * 1024 * 1024

/** For the only writer of this state directory. */
export function openHistory(stateDirectory: string, host: WriteHost, limit: number = historyLimit): History {
  const path = join(stateDirectory, fileName)
  /** False until the file is known to end with a whole line. */
  let clean = false
  return {
    append(entry) {
      const size = host.facts(path)?.size ?? 0
      if (size >= limit) host.moveFile(path, join(stateDirectory, olderFileName))
      // A write cut off by a full disk or a power failure has left a line without its end: don't continue it.
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

/** The newest last. Lines that are no entries are passed over. Throws ReeveError if a file can't be read. */
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

/** Also of what the facility was called before, up to its renaming. */
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
  if (line === '') return undefined
  try {
    const value: unknown = JSON.parse(line)
    return isEntry(value) ? value : undefined
  } catch {
    return undefined
  }
}

/** Of what this program wrote itself, a look at what readers rely on is enough. */
function isEntry(value: unknown): value is HistoryEntry {
  if (typeof value !== 'object' || value === null) return false
  const fields = ['time', 'facility', 'supervisor', 'service', 'verb', 'reason', 'result', 'step']
  return fields.every(field => field in value && typeof Reflect.get(value, field) === 'string')
}
