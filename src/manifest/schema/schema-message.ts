import { lookUp } from '../../core/dictionary.ts'
import { listOf, suggest, suggestField } from '../diagnostics/field-suggestion.ts'
import { type FieldPath, type FieldProblem, formatPath } from '../diagnostics/problem.ts'
import { describeValue, expectation, firstSentence, type SchemaNode, schemaAt } from './schema-node.ts'

/** An error as ajv gives it. */
export interface SchemaError {
  readonly instancePath: string
  readonly schemaPath: string
  readonly keyword: string
  readonly params: Readonly<Record<string, unknown>>
  readonly message?: string
}

/** An error, and the value that it is about. */
export interface PlacedError extends SchemaError {
  readonly path: FieldPath
  readonly value: unknown
}

/** Schema that contains the failed keyword. */
function parentOf(error: SchemaError, schema: SchemaNode): SchemaNode {
  const parent = schemaAt(schema, error.schemaPath.replace(/\/[^/]*$/, ''))
  return typeof parent === 'object' && parent !== null ? parent : {}
}

export function knownFields(error: SchemaError, schema: SchemaNode): string[] {
  return Object.keys(parentOf(error, schema).properties ?? {})
}

/** Keys of a oneOf that requires exactly one of them. */
export function choiceOfKeys(error: SchemaError, schema: SchemaNode): string[] {
  return (parentOf(error, schema).oneOf ?? []).flatMap(branch => branch.required ?? [])
}

/** Says in words of the manifest what is wrong; `prefix` is where in the document the validated value stands. */
export function explainSchemaError(error: PlacedError, schema: SchemaNode, prefix: FieldPath): FieldProblem {
  const { path, value, params } = error
  const parent = parentOf(error, schema)
  const name = formatPath([...prefix, ...path])
  switch (error.keyword) {
    case 'additionalProperties': {
      const field = String(params.additionalProperty)
      return {
        code: 'unknown-field',
        message: unknownField(field, name, parent, schema),
        path: [...path, field],
        atKey: true,
      }
    }
    case 'required':
      return { code: 'missing-field', message: missingField(String(params.missingProperty), name, parent), path }
    case 'propertyNames': {
      const field = String(params.propertyName)
      const wanted = expectation(parent.propertyNames ?? {})
      return {
        code: 'invalid-name',
        message: `"${field}" in ${name} is not ${wanted}`,
        path: [...path, field],
        atKey: true,
      }
    }
    case 'type':
      return wrongType(name, error, parent, schema)
    case 'oneOf':
    case 'anyOf': {
      const keys = choiceOfKeys(error, schema)
      if (keys.length > 0) return { code: 'one-of', message: oneOfKeys(name, keys, value), path }
      return wrongType(name, error, parent, schema)
    }
    case 'enum':
    case 'const':
    case 'pattern':
      return { code: 'invalid-value', message: wrongValue(name, value, parent), path }
    case 'minItems':
      return { code: 'invalid-value', message: `${name} must not be an empty list`, path }
    case 'uniqueItems':
      return { code: 'invalid-value', message: repeatedItem(name, value, params), path: [...path, Number(params.i)] }
    case 'maxProperties':
      return { code: 'invalid-value', message: `${name} has more than ${params.limit} fields`, path }
    case 'minimum':
    case 'maximum': {
      const side = error.keyword === 'minimum' ? 'at least' : 'at most'
      return { code: 'invalid-value', message: `${name} must be ${side} ${params.limit}, found ${value}`, path }
    }
    case 'maxLength':
      return { code: 'invalid-value', message: `${name} is longer than ${params.limit} characters`, path }
    case 'minLength': {
      const wanted = params.limit === 1 ? 'must not be an empty text' : `is shorter than ${params.limit} characters`
      return { code: 'invalid-value', message: `${name} ${wanted}`, path }
    }
    case 'maxItems':
      return { code: 'invalid-value', message: `${name} has more than ${params.limit} items`, path }
    default:
      return { code: 'invalid-value', message: `${name} ${error.message ?? 'is not valid'}`, path }
  }
}

function unknownField(field: string, name: string, parent: SchemaNode, schema: SchemaNode): string {
  const known = Object.keys(parent.properties ?? {})
  const start = `unknown field "${field}" in ${name}`
  const suggestion = suggestField(field, known)
  if (suggestion !== undefined) return `${start}; did you mean "${suggestion}"?`
  const fields = fieldsOf(schema)
  const meant = fields.has(field) ? field : suggestField(field, [...fields.keys()])
  const elsewhere = meant === undefined ? undefined : fields.get(meant)
  if (meant === field && elsewhere !== undefined) return `${start}; "${field}" belongs in ${elsewhere}`
  if (elsewhere !== undefined) return `${start}; did you mean "${meant}" in ${elsewhere}?`
  return known.length === 0 || known.length > 20 ? start : `${start}; known: ${known.join(', ')}`
}

/** Fields at any depth and their nearest place to the top, as people forget a level. */
function fieldsOf(schema: SchemaNode): Map<string, string> {
  const places = new Map<string, string>()
  let level: (readonly [node: SchemaNode, path: string])[] = [[schema, '']]
  while (level.length > 0) {
    const fields = level.flatMap(([node, path]) =>
      Object.entries(node.properties ?? {}).map(([key, child]) => ({ key, child, path })),
    )
    for (const { key, path } of fields) if (!places.has(key)) places.set(key, path === '' ? 'the document' : path)
    level = fields.flatMap(({ key, child, path }) => {
      const at = path === '' ? key : `${path}.${key}`
      return [[child, at] as const, ...(child.items === undefined ? [] : [[child.items, `${at}[]`] as const])]
    })
  }
  return places
}

function missingField(field: string, name: string, parent: SchemaNode): string {
  const sentence = firstSentence(lookUp(parent.properties ?? {}, field)?.description)
  return `${name} needs the field "${field}"${sentence === '' ? '' : `: ${sentence}`}`
}

function wrongType(name: string, error: PlacedError, wanted: SchemaNode, schema: SchemaNode): FieldProblem {
  const { path, value } = error
  const message = `${name} must be ${expectation(wanted)}, found ${describeValue(value)}${entryHint(name, error, schema)}`
  const text = [wanted, ...(wanted.anyOf ?? [])].find(branch => branch.type === 'string')
  if (text !== undefined && (typeof value === 'number' || typeof value === 'boolean')) {
    return { code: 'wrong-type', message, path, ifQuoted: text.pattern ?? '' }
  }
  if (typeof value !== 'string') return { code: 'wrong-type', message, path }
  const hint = wanted.type === 'array' ? ': write a list, as in [a, b]' : unquotedHint(value, wanted)
  return { code: 'wrong-type', message: message + hint, path }
}

/** Hint for an entry of a map with free keys: the map's description. */
function entryHint(name: string, { schemaPath, value }: PlacedError, schema: SchemaNode): string {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return ''
  const owner = /^(.*)\/additionalProperties(?:\/(?:anyOf|oneOf)\/\d+)*\/[^/]+$/.exec(schemaPath)?.[1]
  const map: SchemaNode = Object(owner === undefined ? undefined : schemaAt(schema, owner))
  const sentence = firstSentence(map.description)
  return sentence === '' ? '' : `; ${name.replace(/\.[^.]*$/, '')} is for: ${sentence}`
}

/** Hint for quoted values that would be valid without quotes: `"true"`, `"80"`. */
function unquotedHint(text: string, wanted: SchemaNode): string {
  const branches = [wanted, ...(wanted.anyOf ?? [])]
  const types = branches.flatMap(branch => branch.type ?? [])
  const isBoolean = text === 'true' || text === 'false'
  const isMeant =
    branches.some(branch => branch.enum?.some(each => typeof each !== 'string' && String(each) === text)) ||
    (isBoolean && types.includes('boolean')) ||
    (/^-?\d+$/.test(text) && (types.includes('integer') || types.includes('number')))
  return isMeant ? `: write it without quotes, ${text}` : ''
}

function wrongValue(name: string, value: unknown, wanted: SchemaNode): string {
  const start = `${name} must be ${expectation(wanted)}, found ${describeValue(value)}`
  if (typeof value !== 'string' || wanted.enum === undefined) return start
  const hint = unquotedHint(value, wanted)
  if (hint !== '') return start + hint
  const suggestion = suggest(value, wanted.enum.map(String))
  return suggestion === undefined ? start : `${start}; did you mean "${suggestion}"?`
}

function oneOfKeys(name: string, keys: readonly string[], value: unknown): string {
  const found = typeof value === 'object' && value !== null ? keys.filter(key => Reflect.has(value, key)) : []
  const given = found.length === 0 ? 'found none' : `found ${listOf(found, 'and')}`
  return `${name} needs exactly one of ${listOf(keys, 'and')}, ${given}`
}

function repeatedItem(name: string, value: unknown, params: Readonly<Record<string, unknown>>): string {
  const item: unknown = Array.isArray(value) ? value[Number(params.i)] : undefined
  return `${name} lists ${describeValue(item)} twice`
}
