import { createDictionary, lookUp } from '../../core/dictionary.ts'
import { isObject, type Table } from '../../core/outside-value.ts'
import type { DiagnosticCode } from '../diagnostics/diagnostic-code.ts'
import { type FieldProblem, formatPath } from '../diagnostics/problem.ts'

/** The content of a `source` file, or why it can't be had. */
export type SourceReading = Uint8Array | { readonly code: DiagnosticCode; readonly message: string }

/** A file that native configuration may name. */
export interface ConfigSource {
  /** Keys below `spec.config.TYPE` that lead to its table. */
  readonly at: readonly string[]
  readonly reading: SourceReading
}

/** All values named `source` in `spec.config.TYPE`, by type. Only the provider knows which of them are files. */
export type ConfigSources = Readonly<Record<string, readonly ConfigSource[]>>

/** Deepest level of native configuration that can name a file: `dropIns.limits`. */
const DEPTH = 2

export function readConfigSources(
  config: Readonly<Record<string, unknown>>,
  readSource: (path: string) => SourceReading,
): ConfigSources {
  const find = (value: unknown, at: readonly string[]): ConfigSource[] => {
    if (!isObject(value)) return []
    const { source } = value
    const own = typeof source === 'string' ? [{ at, reading: readSource(source) }] : []
    if (at.length === DEPTH) return own
    return [...own, ...Object.entries(value).flatMap(([key, below]) => find(below, [...at, key]))]
  }
  return createDictionary(
    Object.entries(config).flatMap(([type, own]): [string, ConfigSource[]][] => {
      const found = find(own, [])
      return found.length > 0 ? [[type, found]] : []
    }),
  )
}

/** Places where a provider accepts files; see `Capabilities`. */
export interface SourcePlaces {
  readonly configSource?: string | undefined
  readonly configSourceIn?: readonly string[] | undefined
}

/** Native configuration with the text of each file under the provider's key, in place of `source`. */
export function placeSources(
  type: string,
  { configSource: key, configSourceIn = [] }: SourcePlaces,
  config: unknown,
  sources: readonly ConfigSource[],
): { readonly config: unknown; readonly problems: readonly FieldProblem[] } {
  if (key === undefined) return { config, problems: [] }
  const problems: FieldProblem[] = []
  let placed = config
  for (const { at, reading } of sources) {
    if (at.length > 0 && !configSourceIn.some(place => fits(at, place))) continue
    placed = changeTable(placed, at, table => {
      const found = placeSource(['spec', 'config', type, ...at], key, table, reading)
      problems.push(...found.problems)
      return found.table
    })
  }
  return { config: placed, problems }
}

/** `dropIns.*` stands for any key of `dropIns`. */
function fits(at: readonly string[], place: string): boolean {
  const keys = place.split('.')
  return keys.length === at.length && keys.every((key, index) => key === '*' || key === at[index])
}

function changeTable(value: unknown, [key, ...rest]: readonly string[], change: (table: Table) => Table): unknown {
  if (!isObject(value)) return value
  if (key === undefined) return change(value)
  return createDictionary([...Object.entries(value), [key, changeTable(lookUp(value, key), rest, change)]])
}

function placeSource(
  path: readonly string[],
  key: string,
  table: Table,
  reading: SourceReading,
): { readonly table: Table; readonly problems: readonly FieldProblem[] } {
  const refuse = (code: DiagnosticCode, message: string) => ({
    table,
    problems: [{ code, message, path: [...path, 'source'] }],
  })
  const { source, ...rest } = table
  if (lookUp(rest, key) !== undefined) {
    return refuse('one-of', `${formatPath(path)} has both "source" and "${key}": keep one of them`)
  }
  if (!(reading instanceof Uint8Array)) return refuse(reading.code, reading.message)
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(reading)
    return { table: { ...rest, [key]: text }, problems: [] }
  } catch {
    return refuse('not-utf8', `the source ${String(source)} is not UTF-8 text`)
  }
}
