import { createDictionary } from '../../../src/core/dictionary.ts'
import { isObject, parseObject } from '../../../src/core/outside-value.ts'
import type { Loaded, Ownership } from '../../../src/core/state/observed.ts'
import { readOwnership } from '../../posix/marker.ts'

/** See the table in life-cycle.ts. */
export type Phase = 'down' | 'starting' | 'up' | 'stopping' | 'backoff' | 'finished' | 'failed'

export interface Exit {
  readonly run: number
  /** Both absent: the end was not observed. */
  readonly code?: number
  readonly signal?: string
  /** Milliseconds since 1970: when the end was noticed. */
  readonly at: number
}

/** The supervisor's record of a service: state/NAME.json. All times in milliseconds since 1970. */
export interface ServiceRecord {
  /** Whether the service should run, in this boot. */
  readonly want: 'up' | 'down'
  readonly phase: Phase
  readonly since: number
  /** Id of the boot that the record is about; see `ReadHost.bootId`. */
  readonly boot: string
  /** Number of the newest run; 0 before the first. */
  readonly run: number
  /** The end of this run was requested, and is therefore no failure. */
  readonly asked?: boolean
  readonly startedAt?: number
  readonly pid?: number
  readonly startTime?: string
  /** See `Observed.restarts`. */
  readonly restarts: number
  /** See `Observed.totalRestarts`. Absent in records of older versions. */
  readonly total?: number
  /** Set in `backoff`. */
  readonly nextStart?: number
  readonly exit?: Exit
  readonly loaded?: Loaded
  /** Marker of the definition that the run was started with: it stays valid if the definition is deleted. */
  readonly reeve?: Ownership
  /** Stop settings of that definition, likewise. */
  readonly stop?: { readonly signal: string; readonly timeout: number }
  readonly message?: string
  /** Mark of the newest run: see `markVariable`. Absent in records of older versions. */
  readonly mark?: string
  /** Message about the newest run whose program daemonized. */
  readonly background?: { readonly run: number; readonly message: string }
}

const phases: readonly string[] = ['down', 'starting', 'up', 'stopping', 'backoff', 'finished', 'failed']

export function isPhase(value: unknown): value is Phase {
  return typeof value === 'string' && phases.includes(value)
}

/** True in the phases in which the newest run may have a process. */
export function hasRun(record: ServiceRecord): boolean {
  return record.phase === 'starting' || record.phase === 'up' || record.phase === 'stopping'
}

export function createRecord(want: 'up' | 'down', boot: string, now: number): ServiceRecord {
  return { want, phase: 'down', since: now, boot, run: 0, restarts: 0, total: 0 }
}

export function formatRecord(record: ServiceRecord): string {
  return `${JSON.stringify(record, undefined, 2)}\n`
}

/** Parses a record; undefined if it is truncated by a crash of the machine, or edited. */
export function parseRecord(text: string | undefined): ServiceRecord | undefined {
  const table = text === undefined ? undefined : parseObject(text)
  if (!table) return undefined
  const { want, phase, since, boot, run, restarts } = table
  if ((want !== 'up' && want !== 'down') || !isPhase(phase) || typeof boot !== 'string') return undefined
  if (!isNumber(since) || !isNumber(run) || !isNumber(restarts)) return undefined
  const { total, asked, startedAt, pid, startTime, nextStart, message, mark } = table
  const exit = readExit(table.exit)
  const loaded = readLoaded(table.loaded)
  const reeve = readOwnership(table.reeve)
  const stop = readStop(table.stop)
  const background = readBackground(table.background)
  return {
    want,
    phase,
    since,
    boot,
    run,
    restarts,
    ...(isNumber(total) && { total }),
    ...(asked === true && { asked }),
    ...(isNumber(startedAt) && { startedAt }),
    ...(isNumber(pid) && { pid }),
    ...(typeof startTime === 'string' && { startTime }),
    ...(isNumber(nextStart) && { nextStart }),
    ...(exit && { exit }),
    ...(loaded && { loaded }),
    ...(reeve && { reeve }),
    ...(stop && { stop }),
    ...(typeof message === 'string' && { message }),
    ...(typeof mark === 'string' && { mark }),
    ...(background && { background }),
  }
}

function readBackground(value: unknown): ServiceRecord['background'] {
  if (!isObject(value) || !isNumber(value.run) || typeof value.message !== 'string') return undefined
  return { run: value.run, message: value.message }
}

function readExit(value: unknown): Exit | undefined {
  if (!isObject(value) || !isNumber(value.run) || !isNumber(value.at)) return undefined
  const { run, at, code, signal } = value
  return { run, at, ...(isNumber(code) && { code }), ...(typeof signal === 'string' && { signal }) }
}

function readLoaded(value: unknown): Loaded | undefined {
  if (!isObject(value) || typeof value.definition !== 'string' || !isObject(value.files)) return undefined
  const files = createDictionary<string>()
  for (const [path, digest] of Object.entries(value.files)) {
    if (typeof digest === 'string') files[path] = digest
  }
  return { definition: value.definition, files }
}

function readStop(value: unknown): ServiceRecord['stop'] {
  if (!isObject(value) || typeof value.signal !== 'string' || !isNumber(value.timeout)) return undefined
  return { signal: value.signal, timeout: value.timeout }
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value)
}
