import { createDictionary, lookUp } from '../core/dictionary.ts'
import type { DiagnosticCode } from './diagnostic-code.ts'
import type { FieldProblem } from './problem.ts'

/** The content of a `source` file, or why it can't be had. */
export type SourceReading = Uint8Array | { readonly code: DiagnosticCode; readonly message: string }

/** What is in the files that `spec.config.TYPE.source` names, by type. Whether they are files only the provider knows. */
export type ConfigSources = Readonly<Record<string, SourceReading>>

export function readConfigSources(
  config: Readonly<Record<string, unknown>>,
  readSource: (path: string) => SourceReading,
): ConfigSources {
  const read = Object.entries(config).flatMap(([type, own]): [string, SourceReading][] => {
    const path = isTable(own) ? own.source : undefined
    return typeof path === 'string' ? [[type, readSource(path)]] : []
  })
  return createDictionary(read)
}

/** Native configuration in which the text of the file stands for `key`, in the place of `source`. */
export function placeSource(
  type: string,
  key: string,
  config: unknown,
  reading: SourceReading,
): { readonly config: unknown; readonly problems: readonly FieldProblem[] } {
  const path = ['spec', 'config', type, 'source']
  const refuse = (code: DiagnosticCode, message: string) => ({ config, problems: [{ code, message, path }] })
  if (!isTable(config)) return { config, problems: [] }
  const { source, ...rest } = config
  if (lookUp(rest, key) !== undefined) {
    return refuse('one-of', `spec.config.${type} has both "source" and "${key}": keep one of them`)
  }
  if (!(reading instanceof Uint8Array)) return { config, problems: [{ ...reading, path }] }
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(reading)
    return { config: { ...rest, [key]: text }, problems: [] }
  } catch {
    return refuse('not-utf8', `the source ${String(source)} is not UTF-8 text`)
  }
}

function isTable(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
