import { join } from 'node:path'
import type { ReadHost } from '../../../src/core/contracts/host.ts'
import { createDictionary } from '../../../src/core/dictionary.ts'
import { messageOf } from '../../../src/core/reeve-error.ts'
import type { Loaded } from '../../../src/core/state/observed.ts'
import { explainComplaint } from '../../../src/host/failure.ts'
import type { ProcessIdentity } from '../../../src/host/process-identity.ts'
import { sha256 } from '../../../src/host/sha256.ts'
import type { Place } from '../layout.ts'

/** How a run ended, as recorded by the finish script; see script-input.ts. */
export interface Ending {
  readonly code?: number
  /** Number of the signal. */
  readonly signal?: number
  /** False: it ended by itself. */
  readonly wasAsked: boolean
  /** See `Observed.restarts`. */
  readonly failures: number
  /** See `Observed.totalRestarts`. Absent: recorded by scripts of an older version. */
  readonly total?: number
}

/** Of this boot. */
export function readClaim(place: Place, host: ReadHost): ProcessIdentity | undefined {
  const text = host.readText(join(place.records, 'claim'))
  const [, identity = '', boot] = /^(\d+ \d+) \d+ (\S+)\n$/.exec(text ?? '') ?? []
  return boot === host.bootId() ? parseIdentity(`${identity}\n`) : undefined
}

/** Format of the run script, except for the start time. */
export function formatClaim({ pid, startTime }: ProcessIdentity, bootId: string): string {
  return `${pid} ${startTime} 0 ${bootId}\n`
}

/** True if no run script of Reeve has written the claim: the process was adopted while running. */
export function isTakenOver(place: Place, host: ReadHost): boolean {
  return /^\d+ \d+ 0 /.test(host.readText(join(place.records, 'claim')) ?? '')
}

export function formatLaunched({ pid, startTime }: ProcessIdentity): string {
  return `${pid} ${startTime}\n`
}

/** Of the last run that reached the service itself. */
export function readLaunched(place: Place, host: ReadHost): ProcessIdentity | undefined {
  return parseIdentity(host.readText(join(place.records, 'launched')))
}

function parseIdentity(text: string | undefined): ProcessIdentity | undefined {
  const [, pid, startTime] = /^(\d+) (\d+)\n$/.exec(text ?? '') ?? []
  return pid === undefined || startTime === undefined ? undefined : { pid: Number(pid), startTime }
}

/** Of this boot; undefined if none is recorded. */
export function readEnding(place: Place, host: ReadHost): Ending | undefined {
  const text = host.readText(join(place.records, 'ended'))
  const [, code, status, why, failures, boot, total] =
    /^(-?\d+) (\d+) (asked|alone) (\d+) (\S+)(?: (\d+))?\n$/.exec(text ?? '') ?? []
  if (code === undefined || boot !== host.bootId()) return undefined
  // The low seven bits; the eighth indicates a core dump.
  const signal = Number(status) & 0x7f
  return {
    ...(code === '-1' ? { signal } : { code: Number(code) }),
    wasAsked: why === 'asked',
    failures: Number(failures),
    ...(total !== undefined && { total: Number(total) }),
  }
}

/** Recorded end of a run without its number of failures. Undefined: nothing is to be forgotten. */
export function withoutFailures(ended: string | undefined): string | undefined {
  const [, how, boot, total] = /^(-?\d+ \d+ alone) [1-9]\d* (\S+)( \d+)?\n$/.exec(ended ?? '') ?? []
  return how === undefined ? undefined : `${how} 0 ${boot}${total === undefined ? '' : ' 0'}\n`
}

/** Size limit in bytes of messages of the script and the service's user. */
const problemLimit = 64 * 1_024

export function readProblem(place: Place, host: ReadHost): string | undefined {
  return readWords(join(place.records, 'problem'), host)
}

function readWords(path: string, host: ReadHost): string | undefined {
  try {
    const said = host.readText(path, problemLimit)?.trim()
    return said ? explainComplaint(said) : undefined
  } catch (error) {
    return messageOf(error)
  }
}

/** Reason why its output can't be written; undefined if it can, or isn't. */
export function readLogProblem(place: Place, host: ReadHost): string | undefined {
  if (!host.facts(join(place.directory, 'log/run'))) return undefined
  return readWords(join(place.records, 'log-problem'), host)
}

/** Files that the last run read; undefined if they aren't recorded. */
export function readLoaded(place: Place, host: ReadHost): Loaded | undefined {
  const text = host.readText(join(place.records, 'loaded'))
  if (text === undefined) return undefined
  const lines = parseSums(text)
  const parts = lines.filter(({ path }) => !path.startsWith('/'))
  const files = createDictionary(lines.filter(({ path }) => path.startsWith('/')).map(({ path, sum }) => [path, sum]))
  return { definition: digestSums(parts), files }
}

/** In place of the digest of a missing configuration file; see `Loaded.files`. */
export const absence = 'absent'

export interface Sum {
  readonly path: string
  /** Or `absence`. */
  readonly sum: string
}

/** Digest of a definition: of the sha256sum output for its files, so that a shell can compute it. */
export function digestSums(sums: readonly Sum[]): string {
  return sha256(formatSums(sums))
}

export function formatSums(sums: readonly Sum[]): string {
  return sums
    .map(({ path, sum }) => `${path.includes('\\') ? '\\' : ''}${sum}  ${path.replaceAll('\\', '\\\\')}\n`)
    .join('')
}

/** sha256sum marks a line with a backslash if it has doubled those of the path. */
function parseSums(text: string): Sum[] {
  return text.split('\n').flatMap(line => {
    const [, mark, sum, path] = /^(\\?)([0-9a-f]{64}|absent) [ *](.+)$/.exec(line) ?? []
    if (sum === undefined || path === undefined) return []
    return { sum, path: mark === '' ? path : path.replaceAll('\\\\', '\\') }
  })
}
