import { createRequire } from 'node:module'
import { addTo } from '../../core/list-map.ts'
import { ReeveError } from '../../core/reeve-error.ts'
import { suggestField } from '../diagnostics/field-suggestion.ts'
import type { FieldPath, FieldProblem } from '../diagnostics/problem.ts'
import { choiceOfKeys, explainSchemaError, knownFields, type PlacedError, type SchemaError } from './schema-message.ts'
import { pointerParts, readSchema, type SchemaName, type SchemaNode } from './schema-node.ts'

interface ErrorFinder {
  (value: unknown): boolean
  readonly errors?: readonly SchemaError[] | null
}

/** Runs a compiled validator. For an invalid value it loads a second one, which finds all errors. */
export function checkSchema<T>(
  name: SchemaName,
  isValid: (value: unknown) => value is T,
  value: unknown,
  problems: FieldProblem[],
): value is T {
  if (isValid(value)) return true
  const find: ErrorFinder = createRequire(import.meta.url)(`#schemas/compiled/${name}.errors.cjs`)
  if (find(value)) throw new ReeveError('internal', `the two validators of the ${name} schema disagree`)
  problems.push(...explainSchemaErrors(find.errors ?? [], value, readSchema(name)))
  return false
}

/** Most problems reported for one document. */
const maximumProblems = 100
/** Most errors of a validator that are examined: they are compared with each other. */
const maximumErrors = 2_000

/**
 * Says what a validator found in words of the manifest: one problem per mistake, without those that only follow from
 * another. `prefix` is where in the document the validated value stands.
 */
export function explainSchemaErrors(
  errors: readonly SchemaError[],
  value: unknown,
  schema: SchemaNode,
  prefix: FieldPath = [],
): FieldProblem[] {
  const placed = errors.slice(0, maximumErrors).map(error => place(error, value))
  const problems: FieldProblem[] = []
  const said = new Set<string>()
  for (const error of withoutConsequences(placed, schema)) {
    const problem = explainSchemaError(error, schema, prefix)
    const key = JSON.stringify([problem.path, problem.code, problem.atKey === true ? problem.message : ''])
    if (said.has(key)) continue
    said.add(key)
    problems.push({ ...problem, path: [...prefix, ...problem.path] })
    if (problems.length === maximumProblems) break
  }
  return problems
}

function place(error: SchemaError, root: unknown): PlacedError {
  const path: (string | number)[] = []
  let value = root
  for (const part of pointerParts(error.instancePath)) {
    path.push(Array.isArray(value) ? Number(part) : part)
    value = typeof value === 'object' && value !== null ? Reflect.get(value, part) : undefined
  }
  return { ...error, path, value }
}

/** Drops errors that only follow from another one. */
function withoutConsequences(errors: readonly PlacedError[], schema: SchemaNode): PlacedError[] {
  const unions = errors.filter(error => error.keyword === 'anyOf' || error.keyword === 'oneOf')
  const dropped = new Set<PlacedError>()
  for (const union of unions) {
    const inside = errors.filter(error => error.schemaPath.startsWith(`${union.schemaPath}/`))
    const isChoiceOfKeys = choiceOfKeys(union, schema).length > 0
    for (const error of isChoiceOfKeys ? inside : branchesNotMeant(union, inside)) dropped.add(error)
  }
  const misspelt = meantByUnknownFields(errors, schema)
  return errors.filter(error => {
    if (dropped.has(error)) return false
    // The name is explained by the error of `propertyNames`.
    if (error.schemaPath.includes('/propertyNames/')) return false
    const wanted = missingFields(error, schema)
    return !wanted.some(field => misspelt.has(`${error.instancePath}\n${field}`))
  })
}

/** Errors of a union to drop: all branches, or, where one branch fits by type, all but its errors. */
function branchesNotMeant(union: PlacedError, inside: readonly PlacedError[]): PlacedError[] {
  const branches = new Map<string, PlacedError[]>()
  for (const error of inside) {
    const branch = error.schemaPath.slice(union.schemaPath.length + 1).split('/', 1)[0] ?? ''
    addTo(branches, branch, error)
  }
  const misfits = ['type', 'const', 'enum']
  const fitting = [...branches.values()].filter(
    branch => !branch.some(error => error.instancePath === union.instancePath && misfits.includes(error.keyword)),
  )
  const [meant] = fitting
  if (meant === undefined || fitting.length > 1) return [...inside]
  return [union, ...inside.filter(error => !meant.includes(error))]
}

function missingFields(error: PlacedError, schema: SchemaNode): string[] {
  if (error.keyword === 'required') return [String(error.params.missingProperty)]
  return error.keyword === 'oneOf' ? choiceOfKeys(error, schema) : []
}

/** `path\nfield` of each field that an unknown field likely misspells. */
function meantByUnknownFields(errors: readonly PlacedError[], schema: SchemaNode): Set<string> {
  const meant = new Set<string>()
  for (const error of errors) {
    if (error.keyword !== 'additionalProperties') continue
    const suggestion = suggestField(String(error.params.additionalProperty), knownFields(error, schema))
    if (suggestion !== undefined) meant.add(`${error.instancePath}\n${suggestion}`)
  }
  return meant
}
