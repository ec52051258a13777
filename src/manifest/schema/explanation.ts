import { createDictionary, lookUp } from '../../core/dictionary.ts'
import { ReeveError } from '../../core/reeve-error.ts'
import { listOf, suggestField } from '../diagnostics/field-suggestion.ts'
import type { NativeSchemas } from '../manifest-options.ts'
import { firstSentence, readSchema, type SchemaName, type SchemaNode, showValue } from './schema-node.ts'
import { resolveReferences } from './schema-reference.ts'

/** Explanation of a field for `reeve explain`, made from the schemas. */
export interface Explanation extends Omit<FieldSummary, 'name'> {
  /** `Facility.spec.process.restart`. */
  readonly path: string
  /** Possible values, if they are few. */
  readonly enum?: readonly string[]
  /** Of a map: its fields. Of a list: those of its items. */
  readonly children: readonly FieldSummary[]
}

export interface FieldSummary {
  readonly name: string
  /** `map`, `list of text`, `a duration such as …`. */
  readonly type: string
  readonly required: boolean
  readonly default?: string
  /** The first sentence. */
  readonly description: string
}

const schemaNames: Readonly<Record<string, SchemaName>> = {
  Facility: 'facility',
  Supervisor: 'supervisor',
  HostConfiguration: 'host-configuration',
}

/** Schemas of the known providers, by type. */
export type SchemasByType = ReadonlyMap<string, NativeSchemas>

/**
 * Explains a field by its path: `spec.process.restart`, `Supervisor.spec.type`, `HostConfiguration.resync`; without a
 * kind a Facility's, and without a path the Facility itself. `spec.config.TYPE` of a facility and `spec.TYPE` of a Supervisor are
 * explained by the schemas of the type's provider. Throws ReeveError `not-found` with the likely field.
 */
export function explainField(path: string, schemas: SchemasByType): Explanation {
  const parts = path
    .split('.')
    .map(part => part.replace(/\[\d*\]$/, ''))
    .filter(part => part !== '')
  const kind = kindOf(parts)
  if (parts[0] === kind) parts.shift()
  let node = withNativeFields(lookUp(schemaNames, kind) ?? 'facility', schemas)
  let required = true
  let at = kind
  for (const part of parts) {
    const fields = fieldsOf(node)
    const field = fields.find(({ name }) => name === part)
    const next = field?.node ?? entrySchema(node)
    if (next === undefined)
      throw unknownField(
        part,
        at,
        fields.map(({ name }) => name),
      )
    required = field?.isRequired === true
    node = next
    at = `${at}.${part}`
  }
  const values = node.enum ?? (node.const === undefined ? undefined : [node.const])
  return {
    path: at,
    type: typeOf(node),
    required,
    description: node.description ?? '',
    ...defaultOf(node),
    ...(values !== undefined && { enum: values.map(showValue) }),
    children: childrenOf(node),
  }
}

/** For each kind: where fields of providers are, and which of their schemas documents them. */
const nativeFields: Partial<
  Record<SchemaName, { readonly below: readonly string[]; readonly which: keyof NativeSchemas }>
> = {
  facility: { below: ['spec', 'config'], which: 'configSchema' },
  supervisor: { below: ['spec'], which: 'optionsSchema' },
}

function withNativeFields(name: SchemaName, schemas: SchemasByType): SchemaNode {
  const schema = readSchema(name)
  const place = nativeFields[name]
  if (place === undefined) return schema
  const fields = [...schemas].flatMap(([type, { [place.which]: native }]): [string, SchemaNode][] =>
    typeof native === 'object' ? [[type, resolveReferences(native)]] : [],
  )
  return withFieldsAt(schema, place.below, createDictionary(fields))
}

function withFieldsAt(
  node: SchemaNode,
  [part, ...rest]: readonly string[],
  added: Readonly<Record<string, SchemaNode>>,
): SchemaNode {
  const { properties = {} } = node
  if (part === undefined) return { ...node, properties: { ...properties, ...added }, additionalProperties: false }
  const below = withFieldsAt(lookUp(properties, part) ?? {}, rest, added)
  return { ...node, properties: { ...properties, [part]: below } }
}

/** Kind at the start of a path, in any case; Facility if there is none. */
function kindOf(parts: string[]): string {
  const [first = ''] = parts
  const kind = Object.keys(schemaNames).find(name => name.toLowerCase() === first.toLowerCase())
  if (kind !== undefined) parts[0] = kind
  return kind ?? 'Facility'
}

interface Field {
  readonly name: string
  readonly node: SchemaNode
  readonly isRequired: boolean
}

/** Fields below a node: its own, those of list items, and those of alternatives. */
function fieldsOf(node: SchemaNode): Field[] {
  const { properties = {}, required = [] } = node
  const own = Object.entries(properties).map(([name, child]) => ({
    name,
    node: child,
    isRequired: required.includes(name),
  }))
  const others = [...(node.allOf ?? []), ...waysOf(node)].flatMap(fieldsOf)
  return [...new Map([...others, ...own].map(field => [field.name, field])).values()]
}

/** Schemas of list items and alternatives. */
function waysOf({ items, anyOf = [], oneOf = [] }: SchemaNode): readonly SchemaNode[] {
  return [...(items === undefined ? [] : [items]), ...anyOf, ...oneOf]
}

/** Schema of the values of a map with free keys. */
function entrySchema(node: SchemaNode): SchemaNode | undefined {
  const { additionalProperties } = node
  if (additionalProperties === true) return {}
  if (typeof additionalProperties === 'object') return additionalProperties
  return waysOf(node)
    .map(entrySchema)
    .find(found => found !== undefined)
}

function childrenOf(node: SchemaNode): FieldSummary[] {
  return fieldsOf(node).map(({ name, node: child, isRequired }) => ({
    name,
    type: typeOf(child),
    required: isRequired,
    ...defaultOf(child),
    description: firstSentence(child.description),
  }))
}

/** Default of the schema, or the one in its description if it depends on something else. */
function defaultOf({ default: value, description = '' }: SchemaNode): { readonly default?: string } {
  if (value !== undefined) return { default: showValue(value) }
  const [, told] = /\bDefault: (.+?)\.(?:\s|$)/.exec(description) ?? []
  return told === undefined ? {} : { default: told }
}

function typeOf(node: SchemaNode): string {
  if (node.enum !== undefined) return node.enum.map(showValue).join(' | ')
  if (node.const !== undefined) return showValue(node.const)
  if (node.type === 'array') return node.items === undefined ? 'list' : `list of ${asItem(typeOf(node.items))}`
  if (node.type === 'object') {
    const value = node.properties === undefined ? entrySchema(node) : undefined
    return value === undefined || Object.keys(value).length === 0 ? 'map' : `map of ${asItem(typeOf(value))}`
  }
  const ways = [...(node.anyOf ?? []), ...(node.oneOf ?? [])]
  // A choice of keys is still a map.
  if (node.type === undefined && ways.length > 0) return [...new Set(ways.map(typeOf))].join(' | ')
  return [node.type ?? 'anything']
    .flat()
    .map(type => lookUp(typeWords, type) ?? type)
    .join(' | ')
}

/** Puts alternatives in parentheses. */
function asItem(type: string): string {
  return type.includes(' | ') ? `(${type})` : type
}

const typeWords: Readonly<Record<string, string>> = { string: 'text', boolean: 'true | false' }

function unknownField(part: string, at: string, known: readonly string[]): ReeveError {
  const meant = suggestField(part, known)
  const hint =
    meant !== undefined
      ? `; did you mean "${meant}"?`
      : known.length === 0
        ? ': it has no fields'
        : `: it has ${listOf(known, 'and')}`
  return new ReeveError('not-found', `${at} has no field "${part}"${hint}`)
}
