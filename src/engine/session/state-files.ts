import { join } from 'node:path'
import type { ReadHost, WriteHost } from '../../core/contracts/host.ts'
import { createDictionary } from '../../core/dictionary.ts'
import { isObject, parseJson } from '../../core/outside-value.ts'
import type { Applied } from '../../core/plan/plan-input.ts'
import type { FileClaim, FileClaims } from '../../core/state/file-claim.ts'
import { tryTo } from '../../core/try-to.ts'
import { readTrusted } from '../../host/trusted-reading.ts'
import type { ParseCacheContent } from '../../manifest/parse/parse-cache.ts'
import { sweepCopies, writeCopies } from './adopted-copies.ts'

/**
 * Record in the state directory. Its loss harms no service (E18): it tells drift from change, finds supervisors whose manifest
 * is gone, and has the claims on configuration files.
 */
export interface StateRecord {
  readonly applied: ReadonlyMap<string, Applied>
  /** Supervisor instances under which something is owned. */
  readonly instances: ReadonlyMap<string, InstanceRecord>
  /** Claims on configuration files (E19). */
  readonly claims: FileClaims
}

/** What finds a supervisor instance again when its manifest is gone. */
export interface InstanceRecord {
  readonly type: string
  readonly options: Readonly<Record<string, unknown>>
}

export const emptyRecord: StateRecord = { applied: new Map(), instances: new Map(), claims: new Map() }

const recordFile = 'record.json'
const suspendedFile = 'suspended.json'
const parsedFile = 'parsed.json'

export function readRecord(directory: string, host: ReadHost): StateRecord {
  const value = readJson(join(directory, recordFile), host)
  if (!isObject(value)) return emptyRecord
  const applied = new Map<string, Applied>()
  for (const [name, entry] of Object.entries(isObject(value.applied) ? value.applied : {})) {
    if (!isObject(entry)) continue
    const { digest, supervisor, service, files, meets, parts } = entry
    if (typeof digest !== 'string' || typeof supervisor !== 'string' || typeof service !== 'string') continue
    applied.set(name, {
      digest,
      supervisor,
      service,
      files: textsOf(files),
      ...(Array.isArray(meets) ? { meets: textsOf(meets) } : {}),
      ...(Array.isArray(parts) ? { parts: textsOf(parts) } : {}),
    })
  }
  const instances = new Map<string, InstanceRecord>()
  for (const [name, entry] of Object.entries(isObject(value.instances) ? value.instances : {})) {
    if (isObject(entry) && typeof entry.type === 'string' && isObject(entry.options)) {
      instances.set(name, { type: entry.type, options: entry.options })
    }
  }
  return { applied, instances, claims: readClaims(value.claims) }
}

function readClaims(value: unknown): Map<string, FileClaim> {
  const claims = new Map<string, FileClaim>()
  for (const [path, entry] of Object.entries(isObject(value) ? value : {})) {
    if (!isObject(entry) || typeof entry.isFulfilled !== 'boolean' || !Array.isArray(entry.contents)) continue
    const contents = entry.contents.filter(digest => typeof digest === 'string')
    const found = readFound(entry.found)
    claims.set(path, {
      isFulfilled: entry.isFulfilled,
      contents,
      ...(found !== undefined && { found }),
      ...(entry.deletes === true && { deletes: true }),
    })
  }
  return claims
}

function readFound(value: unknown): FileClaim['found'] {
  if (value === undefined || value === 'lost') return value
  if (!isObject(value)) return 'lost'
  const { digest, mode, uid, gid, isKept } = value
  const isWhole = typeof digest === 'string' && typeof isKept === 'boolean'
  if (!isWhole || typeof mode !== 'number' || typeof uid !== 'number' || typeof gid !== 'number') return 'lost'
  return { digest, mode, uid, gid, isKept }
}

function textsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.filter(item => typeof item === 'string') : []
}

/** Writes the record if it differs from `before`: a pass that changes nothing writes no file. */
export function writeRecord(directory: string, record: StateRecord, before: StateRecord, host: WriteHost): void {
  const text = recordText(record)
  if (text === recordText(before)) return
  writeCopies(directory, record.claims, before.claims, host)
  host.writeFile(join(directory, recordFile), text, { mode: 0o600 })
  sweepCopies(directory, record.claims, before.claims, host)
}

/** Names of facilities that were suspended by `reeve suspend`. */
export function readSuspended(directory: string, host: ReadHost): Set<string> {
  const value = readJson(join(directory, suspendedFile), host)
  return new Set(Array.isArray(value) ? value.filter(name => typeof name === 'string') : [])
}

export function writeSuspended(directory: string, names: ReadonlySet<string>, host: WriteHost): void {
  host.writeFile(join(directory, suspendedFile), `${JSON.stringify([...names].sort(), undefined, 2)}\n`, {
    mode: 0o600,
  })
}

/** Content of the parse cache, unchecked. */
export function readParseCache(directory: string, host: ReadHost): unknown {
  return tryTo(() => readJson(join(directory, parsedFile), host)) // insecure or too large: manifests are parsed again
}

export function writeParseCache(directory: string, content: ParseCacheContent, host: WriteHost): void {
  host.writeFile(join(directory, parsedFile), `${JSON.stringify(content)}\n`, { mode: 0o600 })
}

function recordText(record: StateRecord): string {
  const applied = createDictionary([...record.applied].sort(byName))
  const instances = createDictionary([...record.instances].sort(byName))
  const claims = createDictionary([...record.claims].sort(byName).map(withoutContent))
  return `${JSON.stringify({ applied, instances, claims }, undefined, 1)}\n`
}

/** Leaves out what adopted files held, of which copies are kept elsewhere. */
function withoutContent([path, claim]: [string, FileClaim]): [string, FileClaim] {
  if (typeof claim.found !== 'object') return [path, claim]
  const { content: _, ...found } = claim.found
  return [path, { ...claim, found }]
}

function byName([left]: [string, unknown], [right]: [string, unknown]): number {
  return left < right ? -1 : left > right ? 1 : 0
}

/** Undefined if the file is missing or damaged, as nothing depends on it. Throws ReeveError if others can write it. */
function readJson(path: string, host: ReadHost): unknown {
  const text = readTrusted(path, host)
  return text === undefined ? undefined : parseJson(text)
}
