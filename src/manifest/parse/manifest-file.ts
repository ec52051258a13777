import { facility as isFacilityManifest } from '#schemas/compiled/facility.js'
import { supervisor as isSupervisorManifest } from '#schemas/compiled/supervisor.js'
import { lookUp } from '../../core/dictionary.ts'
import type { Diagnostic } from '../../core/model/diagnostic.ts'
import { isObject } from '../../core/outside-value.ts'
import { suggestionFor } from '../diagnostics/field-suggestion.ts'
import { diagnoseFile, diagnoseText, type FieldProblem } from '../diagnostics/problem.ts'
import { createSourceText, type SourceText } from '../diagnostics/source-text.ts'
import type { SupervisorManifest } from '../manifest-set.ts'
import { withoutFaults } from '../schema/faulty-document.ts'
import { checkSchema } from '../schema/schema-check.ts'
import { describeValue } from '../schema/schema-node.ts'
import type { DraftContext } from './draft-context.ts'
import { draftFacility, type FacilityDraft } from './facility-draft.ts'
import type { ParseCache } from './parse-cache.ts'
import { parseYaml, type YamlDocument } from './yaml-document.ts'

/** Declarations of one file. */
export interface ParsedManifest {
  readonly file: string
  readonly facilities: readonly Declared<FacilityDraft>[]
  readonly supervisors: readonly Declared<SupervisorManifest>[]
  /** Names of facilities that it declares but whose documents have problems of their own. */
  readonly invalid: readonly Declared<string>[]
  /** Drafts of those documents without their faulty parts: checked, never applied. */
  readonly faulty: readonly Declared<FacilityDraft>[]
  /** Names of supervisors whose documents are invalid. */
  readonly invalidSupervisors: readonly string[]
  /** Empty: the file is valid on its own. */
  readonly diagnostics: readonly Diagnostic[]
  /** Locates a problem in this file that was found later. */
  diagnose(declared: Declared<unknown>, problem: FieldProblem): Diagnostic
}

export interface Declared<T> {
  readonly value: T
  /** The index of its document among those of the file that hold anything. */
  readonly document: number
}

/** As `DraftContext`, for all documents of a file. */
export interface FileContext extends Omit<DraftContext, 'position'> {
  /** Default: the parser itself. */
  readonly parse?: ParseCache['parse'] | undefined
}

/** Most diagnostics shown for one file. */
const maximumDiagnostics = 100

/** Reads the documents of one file: `file` is the name that diagnostics give. Never throws. */
export function parseManifest(file: string, content: Uint8Array, context: FileContext): ParsedManifest {
  const decoded = decodeText(file, content)
  if ('code' in decoded) return invalidManifest(decoded)
  const source = createSourceText(decoded.text)
  if (source.text.trim() === '') return invalidManifest(emptyFile(file))
  const { parse = parseYaml } = context
  const parsed = parse(source.text)
  const diagnostics = parsed.problems.map(problem => diagnoseText(file, source, problem))
  const facilities: Declared<FacilityDraft>[] = []
  const supervisors: Declared<SupervisorManifest>[] = []
  const invalid: Declared<string>[] = []
  const faulty: Declared<FacilityDraft>[] = []
  const invalidSupervisors: string[] = []

  for (const [document, yaml] of parsed.documents.entries()) {
    const problems: FieldProblem[] = []
    const { value } = yaml
    const kind = kindOf(value, problems)
    if (kind === 'Facility') {
      const isValid = checkSchema('facility', isFacilityManifest, value, problems)
      const rest = isValid ? value : withoutFaults('facility', isFacilityManifest, value, problems)
      if (rest !== undefined) {
        const { offset } = yaml.locate(['metadata', 'name'])
        const position = { file, ...source.positionAt(offset) }
        const { draft, problems: further } = draftFacility(rest, { position, ...context })
        problems.push(...further)
        const drafts = problems.length === 0 ? facilities : faulty
        drafts.push({ value: draft, document })
      }
    }
    if (kind === 'Supervisor' && checkSchema('supervisor', isSupervisorManifest, value, problems)) {
      const { type, ...options } = value.spec
      problems.push(...checkOptions(type, options))
      const own = lookUp(options, type) ?? {}
      if (problems.length === 0 && isObject(own)) {
        supervisors.push({ value: { name: value.metadata.name, type, options: own }, document })
      }
    }
    if (problems.length > 0 && kind === 'Facility') {
      invalid.push(...nameOf(value).map(name => ({ value: name, document })))
    }
    if (problems.length > 0 && kind === 'Supervisor') invalidSupervisors.push(...nameOf(value))
    for (const problem of problems) diagnostics.push(diagnoseField(file, source, yaml, problem))
  }
  if (diagnostics.length > maximumDiagnostics) {
    const more = diagnostics.splice(maximumDiagnostics).length
    diagnostics.push(diagnoseFile(file, 'more-problems', `${more} more problems are not shown`))
  }

  // Such problems are rare, so documents are parsed again for them instead of kept in memory.
  let again: readonly YamlDocument[] | undefined
  return {
    file,
    facilities,
    supervisors,
    invalid,
    faulty,
    invalidSupervisors,
    diagnostics,
    diagnose(declared, problem) {
      again ??= parseYaml(source.text).documents
      const yaml = again[declared.document]
      return yaml === undefined
        ? diagnoseFile(file, problem.code, problem.message)
        : diagnoseField(file, source, yaml, problem)
    },
  }
}

/** Result for a file that can't be used at all. */
export function invalidManifest(diagnostic: Diagnostic): ParsedManifest {
  return {
    file: diagnostic.file,
    facilities: [],
    supervisors: [],
    invalid: [],
    faulty: [],
    invalidSupervisors: [],
    diagnostics: [diagnostic],
    diagnose: (_, problem) => diagnoseFile(diagnostic.file, problem.code, problem.message),
  }
}

/** The text of a file; a byte order mark is dropped. */
export function decodeText(file: string, content: Uint8Array): { readonly text: string } | Diagnostic {
  try {
    return { text: new TextDecoder('utf-8', { fatal: true }).decode(content) }
  } catch {
    const lenient = new TextDecoder('utf-8').decode(content)
    const source = createSourceText(lenient)
    const message = 'the file is not UTF-8 text'
    return diagnoseText(file, source, { code: 'not-utf8', message, offset: lenient.indexOf('\ufffd') })
  }
}

export function diagnoseField(file: string, source: SourceText, yaml: YamlDocument, problem: FieldProblem): Diagnostic {
  const { offset, source: written } = yaml.locate(problem.path, problem.atKey)
  const { ifQuoted } = problem
  const isText = written !== undefined && ifQuoted !== undefined && new RegExp(ifQuoted).test(written)
  const hint = isText ? `: put it in quotes, "${written}"` : ''
  return diagnoseText(file, source, { ...problem, message: problem.message + hint, offset })
}

/** Diagnostic for an empty file, which may be one that is just being written. */
function emptyFile(file: string): Diagnostic {
  return diagnoseFile(file, 'empty-file', 'the file is empty: remove it, or write a manifest (or a # comment) into it')
}

const documentKinds = ['Facility', 'Supervisor']

function kindOf(value: unknown, problems: FieldProblem[]): string | undefined {
  const hint = 'a file that is not a manifest may stay here if its name starts with _'
  if (!isObject(value)) {
    const message = `a manifest is a map of apiVersion, kind, metadata and spec, found ${describeValue(value)}; ${hint}`
    problems.push({ code: 'wrong-type', message, path: [] })
    return undefined
  }
  const { kind, apiVersion } = value
  if (kind === undefined) {
    const misspelt = Object.keys(value).find(key => key.toLowerCase() === 'kind')
    const also = misspelt === undefined ? `; ${hint}` : `; did you mean "kind" by "${misspelt}"?`
    problems.push({
      code: 'unknown-kind',
      message: `the document has no kind: expected Facility or Supervisor${also}`,
      path: [],
    })
    return undefined
  }
  if (kind === 'HostConfiguration') {
    const message = 'a HostConfiguration belongs in a file of its own outside the manifests, named by --config'
    problems.push({ code: 'unknown-kind', message, path: ['kind'] })
    return undefined
  }
  if (typeof kind !== 'string' || !documentKinds.includes(kind)) {
    const meant = typeof kind === 'string' ? suggestionFor(kind, documentKinds) : ''
    const message = `kind must be Facility or Supervisor, found ${describeValue(kind)}${meant === '' ? `; ${hint}` : meant}`
    problems.push({ code: 'unknown-kind', message, path: ['kind'] })
    return undefined
  }
  if (apiVersion !== undefined && apiVersion !== 'reeve/v1') {
    const message = `apiVersion must be reeve/v1, found ${describeValue(apiVersion)}`
    problems.push({ code: 'unknown-api-version', message, path: ['apiVersion'] })
    return undefined
  }
  return kind
}

/** A Supervisor has options under the key of its own type only, and they are a map. */
function checkOptions(type: string, options: Readonly<Record<string, unknown>>): FieldProblem[] {
  return Object.entries(options).flatMap(([key, value]): FieldProblem[] => {
    if (key === type) {
      if (isObject(value)) return []
      const message = `spec.${key} must be a map, found ${describeValue(value)}`
      return [{ code: 'wrong-type', message, path: ['spec', key] }]
    }
    const meant =
      suggestionFor(key, [type, 'type']) || `; options of a supervisor of type ${type} stand under spec.${type}`
    return [
      { code: 'unknown-field', message: `unknown field "${key}" in spec${meant}`, path: ['spec', key], atKey: true },
    ]
  })
}

function nameOf(value: unknown): string[] {
  const name = isObject(value) && isObject(value.metadata) ? value.metadata.name : undefined
  return typeof name === 'string' ? [name] : []
}
