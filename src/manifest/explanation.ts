import { lookUp } from '../core/dictionary.ts'
import { ReeveError } from '../core/reeve-error.ts'
import { listOf, suggest } from './field-suggestion.ts'
import { firstSentence, readSchema, type SchemaName, type SchemaNode, showValue } from './schema-node.ts'

/** What `reeve explain` says of a field: all from the schemas. */
export interface Explanation {
  /** `Facility.spec.process.restart`. */
  readonly path: string
  /** `map`, `list of text`, `a duration such as …`. */
  readonly type: string
  readonly required: boolean
  readonly description: string
  readonly default?: string
  /** The values that it can have, where they are few. */
  readonly enum?: readonly string[]
  /** Of a map: its fields. Of a list: those of its items. */
  readonly children: readonly FieldSummary[]
}

export interface FieldSummary {
  readonly name: string
  readonly type: string
  readonly required: boolean
  /** The first sentence. */
  readonly description: string
}

const schemaNames: Readonly<Record<string, SchemaName>> = {
  Facility: 'facility',
  Supervisor: 'supervisor',
  HostConfiguration: 'host-configuration',
}

/**
 * Explains a field by its path: `spec.process.restart`, `Supervisor.spec.type`, `HostConfiguration.resync`; without a
 * kind a Facility's, and without a path the Facility itself. Throws ReeveError `not-found` with the likely field.
 */
export function explainField(path?: string): Explanation {
  const parts = (path ?? '')
    .split('.')
    .map(part => part.replace(/\[\d*\]$/, ''))
    .filter(part => part !== '')
  const kind = kindOf(parts)
  if (parts[0] === kind) parts.shift()
  let node = readSchema(lookUp(schemaNames, kind) ?? 'facility')
  let required = true
  let at = kind
  for (const part of parts) {
    const { properties, required: names } = fieldsOf(node)
    const next = lookUp(properties, part) ?? entrySchema(node)
    if (next === undefined) throw unknownField(part, at, Object.keys(properties))
    required = (names ?? []).includes(part)
    node = next
    at = `${at}.${part}`
  }
  const values = node.enum ?? (node.const === undefined ? undefined : [node.const])
  return {
    path: at,
    type: typeOf(node),
    required,
    description: node.description ?? '',
    ...(node.default !== undefined && { default: showValue(node.default) }),
    ...(values !== undefined && { enum: values.map(showValue) }),
    children: childrenOf(node),
  }
}

/** `facility` and `FACILITY` are understood as well. */
function kindOf(parts: string[]): string {
  const [first = ''] = parts
  const kind = Object.keys(schemaNames).find(name => name.toLowerCase() === first.toLowerCase())
  if (kind !== undefined) parts[0] = kind
  return kind ?? 'Facility'
}

/** The map that a path goes on into: the node itself, a list's items, or the map among the ways to write it. */
function fieldsOf(node: SchemaNode): {
  properties: Readonly<Record<string, SchemaNode>>
  required?: readonly string[]
} {
  const { properties, required } = node
  if (properties !== undefined) return { properties, ...(required !== undefined && { required }) }
  if (node.items !== undefined) return fieldsOf(node.items)
  const branch = (node.anyOf ?? []).find(candidate => candidate.properties !== undefined)
  return branch === undefined ? { properties: {} } : fieldsOf(branch)
}

/** Of a map with free keys: what each value is. */
function entrySchema(node: SchemaNode): SchemaNode | undefined {
  const { additionalProperties } = node
  if (additionalProperties === true) return { description: 'Native configuration: see the provider of this type.' }
  return typeof additionalProperties === 'object' ? additionalProperties : undefined
}

function childrenOf(node: SchemaNode): FieldSummary[] {
  const { properties, required } = fieldsOf(node)
  return Object.entries(properties).map(([name, child]) => ({
    name,
    type: typeOf(child),
    required: (required ?? []).includes(name),
    description: firstSentence(child.description),
  }))
}

function typeOf(node: SchemaNode): string {
  if (node.enum !== undefined) return node.enum.map(showValue).join(' | ')
  if (node.const !== undefined) return showValue(node.const)
  if (node.type === 'array') return node.items === undefined ? 'list' : `list of ${typeOf(node.items)}`
  if (node.type === 'object') {
    const value = node.properties === undefined ? entrySchema(node) : undefined
    return value?.type === undefined && value?.anyOf === undefined ? 'map' : `map of ${typeOf(value)}`
  }
  if (node.anyOf !== undefined) return node.anyOf.map(typeOf).join(' | ')
  return [node.type ?? 'anything']
    .flat()
    .map(type => lookUp(typeWords, type) ?? type)
    .join(' | ')
}

const typeWords: Readonly<Record<string, string>> = { string: 'text', boolean: 'true | false' }

function unknownField(part: string, at: string, known: readonly string[]): ReeveError {
  const meant = suggest(part, known)
  const hint =
    meant !== undefined
      ? `; did you mean "${meant}"?`
      : known.length === 0
        ? ': it has no fields'
        : `: it has ${listOf(known, 'and')}`
  return new ReeveError('not-found', `${at} has no field "${part}"${hint}`)
}
