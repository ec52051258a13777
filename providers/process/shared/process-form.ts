import { createDictionary, lookUp } from '../../../src/core/dictionary.ts'
import type { Process, SecretReference } from '../../../src/core/model/facility.ts'
import { type Rotation, rotationOf } from '../../../src/core/model/portable-fields.ts'
import { isTable, type Table } from '../../posix/table.ts'

/**
 * `Process` as a manifest has it (durations with a unit, octal modes in quotes): what stands in a definition, so that a
 * person can read it, and what `config.process` is laid over. Keys of maps are sorted: the same process, the same bytes.
 */
export function presentProcess(process: Process): Table {
  return {
    command: [...process.command],
    ...optional('workingDirectory', process.workingDirectory),
    ...optional('user', process.user),
    ...optional('group', process.group),
    ...optional('umask', process.umask === undefined ? undefined : process.umask.toString(8).padStart(4, '0')),
    environment: sortKeys<string | SecretReference>(process.environment),
    environmentFiles: [...process.environmentFiles],
    limits: sortKeys<number | 'unlimited'>(process.limits),
    restart: { policy: process.restart.policy, delay: presentDuration(process.restart.delay) },
    stop: { signal: process.stop.signal, timeout: presentDuration(process.stop.timeout) },
    ...optional('reload', process.reload),
    ...optional(
      'output',
      process.output && {
        file: process.output.file,
        ...presentRotation(rotationOf(process.output)),
      },
    ),
  }
}

/**
 * Lays a part of a process over a whole one, as JSON Merge Patch (RFC 7386) has it: maps are merged, all else is
 * replaced, null removes. `reload` is replaced whole, since it is one of two.
 */
export function mergeForm(base: Table, over: Table): Table {
  const merged = createDictionary(Object.entries(base))
  for (const [key, value] of Object.entries(over)) {
    const below = lookUp(base, key)
    if (value === null) delete merged[key]
    else merged[key] = isTable(below) && isTable(value) && key !== 'reload' ? mergeForm(below, value) : value
  }
  return merged
}

const durationUnits = [
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
] as const

function presentDuration(milliseconds: number): string {
  for (const [unit, factor] of durationUnits) {
    if (milliseconds >= factor && milliseconds % factor === 0) return `${milliseconds / factor}${unit}`
  }
  return `${milliseconds}ms`
}

const sizeUnits = [
  ['GiB', 2 ** 30],
  ['MiB', 2 ** 20],
  ['KiB', 2 ** 10],
] as const

function presentRotation({ maxSize, keep }: Rotation): Table {
  return { maxSize: presentSize(maxSize), keep }
}

function presentSize(bytes: number): string {
  for (const [unit, factor] of sizeUnits) {
    if (bytes >= factor && bytes % factor === 0) return `${bytes / factor}${unit}`
  }
  return `${bytes}B`
}

function optional<T>(key: string, value: T | undefined): Record<string, T> {
  return value === undefined ? {} : { [key]: value }
}

function sortKeys<T>(map: Readonly<Record<string, T>>): Record<string, T> {
  return createDictionary(Object.entries(map).sort(([a], [b]) => (a < b ? -1 : 1)))
}
