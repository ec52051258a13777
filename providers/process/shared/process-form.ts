import { isAbsolute } from 'node:path'
import { processShape } from '#schemas/compiled/process.js'
import { createDictionary, lookUp } from '../../../src/core/dictionary.ts'
import type { Process } from '../../../src/core/model/facility.ts'
import { createForm, presentForm } from '../../../src/core/model/form.ts'
import { rotationOf } from '../../../src/core/model/portable-fields.ts'
import { isObject, type Table } from '../../../src/core/outside-value.ts'
import { findSignalNumber } from '../../../src/host/signals.ts'
import { findVariableProblem } from '../../posix/environment-names.ts'

const processForm = createForm(processShape)

export interface Problem {
  /** As a path in the manifest: `process.umask`. */
  readonly field: string
  readonly message: string
}

/** Reads the form that `presentProcess` gives, trusting nothing: a person may have edited it. */
export function readProcess(form: Table): { readonly process: Process } | { readonly problems: readonly Problem[] } {
  const problems: Problem[] = []
  const process = processForm.read(form, {
    resolvePath: path => (isAbsolute(path) ? path : undefined),
    findSignal: name => (findSignalNumber(name) === undefined ? undefined : name.replace(/^SIG/, '')),
    // The bounds are those of what is declared: what has been written down is run.
    complain({ code, path, message }) {
      if (code !== 'out-of-bounds') problems.push({ field: ['process', ...path].join('.'), message })
    },
  })
  return problems.length > 0 ? { problems } : checkProcess(process)
}

/** The same of a process in normal form, such as a manifest declares. */
export function checkProcess(
  process: Process,
): { readonly process: Process } | { readonly problems: readonly Problem[] } {
  const reserved = findVariableProblem(process)
  return reserved === undefined ? { process: withRotation(process) } : { problems: [reserved] }
}

function withRotation(process: Process): Process {
  const { output } = process
  return output === undefined ? process : { ...process, output: { ...output, ...rotationOf(output) } }
}

/**
 * `Process` in the notation of a manifest (durations with a unit, octal modes in quotes): the content of a definition,
 * readable by people, and the base that `config.process` is merged into. Keys of maps are sorted: the same process gives the
 * same bytes.
 */
export function presentProcess(process: Process): Table {
  const form = presentForm(processShape, withRotation(process))
  return isObject(form) ? form : {}
}

/**
 * Merges a partial process into a whole one like JSON Merge Patch (RFC 7386): maps are merged, other values are replaced,
 * null removes. `reload` is replaced as a whole, since it is one of two.
 */
export function mergeForm(base: Table, over: Table): Table {
  const merged = createDictionary(Object.entries(base))
  for (const [key, value] of Object.entries(over)) {
    const below = lookUp(base, key)
    if (value === null) delete merged[key]
    else merged[key] = isObject(below) && isObject(value) && key !== 'reload' ? mergeForm(below, value) : value
  }
  return merged
}
