import { hash } from 'node:crypto'
import type { Rendered } from '../../../src/core/contracts/provider.ts'
import type { Facility, Instance, Process } from '../../../src/core/model/facility.ts'
import { isObject, parseObject, type Table } from '../../../src/core/outside-value.ts'
import type { Ownership } from '../../../src/core/state/observed.ts'
import { readOwnership } from '../../posix/marker.ts'
import { definitionPath, directoryOf, layoutOf } from './layout.ts'
import { checkProcess, mergeForm, type Problem, presentProcess, readProcess } from './process-form.ts'

/** Content of definitions/NAME.json. */
export type ServiceDefinition =
  | { readonly kind: 'absent' }
  /** The definition was edited; `problem` says what is wrong with it. */
  | { readonly kind: 'invalid'; readonly problem: string; readonly ownership: Ownership | undefined }
  | {
      readonly kind: 'valid'
      readonly process: Process
      readonly ownership: Ownership | undefined
    }

export function renderDefinition(facility: Facility, instance: Instance, ownership: Ownership): Rendered {
  const { config } = facility
  if (config !== undefined && !isObject(config)) {
    return { problems: [{ field: 'config.process', message: 'expected a part of spec.process' }] }
  }
  const read = readDeclared(facility.process, config)
  if ('problems' in read) return { problems: read.problems.map(problem => locate(problem, config ?? {})) }
  const form = presentProcess(read.process)
  const content = `${JSON.stringify({ reeve: ownership, process: form }, undefined, 2)}\n`
  const path = definitionPath(layoutOf(directoryOf(instance)), facility.service)
  return { definition: { files: [{ path, content, mode: 0o600 }], digest: digestForm(form), process: read.process } }
}

/** The process of a manifest, with `config.process` over it. */
function readDeclared(process: Process | undefined, config: Table | undefined): ReturnType<typeof readProcess> {
  if (process !== undefined && config === undefined) return checkProcess(process)
  return readProcess(mergeForm(process === undefined ? {} : presentProcess(process), config ?? {}))
}

/** Reports mistakes with the path `config.process.…`. */
function locate(problem: Problem, config: Table): Problem {
  const [, key] = problem.field.split('.')
  return key !== undefined && key in config ? { ...problem, field: `config.${problem.field}` } : problem
}

export function parseDefinition(text: string | undefined): ServiceDefinition {
  if (text === undefined) return { kind: 'absent' }
  const table = parseObject(text)
  const ownership = readOwnership(table?.reeve)
  if (!table || !isObject(table.process)) {
    return { kind: 'invalid', problem: 'expected JSON with a map "process"', ownership }
  }
  const read = readProcess(table.process)
  if ('process' in read) return { kind: 'valid', process: read.process, ownership }
  const problem = read.problems.map(({ field, message }) => `${field}: ${message}`).join('; ')
  return { kind: 'invalid', problem, ownership }
}

/** Digest without the marker; see `Definition.digest`. */
export function digestProcess(process: Process): string {
  return digestForm(presentProcess(process))
}

function digestForm(form: Table): string {
  return hash('sha256', JSON.stringify(form))
}
