import { ReeveError } from '../core/reeve-error.ts'
import { suggest } from '../manifest/field-suggestion.ts'

/** As much of JSON Schema as the schemas of manifests use. */
export interface SchemaNode {
  readonly $ref?: string
  readonly $defs?: Readonly<Record<string, SchemaNode>>
  readonly description?: string
  readonly type?: string
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly default?: unknown
  readonly required?: readonly string[]
  readonly properties?: Readonly<Record<string, SchemaNode>>
  readonly additionalProperties?: boolean | SchemaNode
  readonly items?: SchemaNode
  readonly anyOf?: readonly SchemaNode[]
}

/** A kind of document and its schema. */
export interface SchemaKind {
  /** As `kind:` says it. */
  readonly kind: string
  readonly schema: SchemaNode
}

/** A place in a schema. */
export interface SchemaField {
  readonly kind: string
  /** Empty for the whole document. */
  readonly path: readonly string[]
  readonly description: string
  readonly type: string
  readonly default?: unknown
  readonly required: boolean
  /** What can stand below it, in the schema's order. */
  readonly fields: readonly SchemaField[]
}

/**
 * Finds what a path such as `spec.files.path` means: `facility.`, `supervisor.` or `host.` before it chooses the kind,
 * else the first kind that has it; lists need no index, and `spec.` may be left out. Throws `not-found` with
 * the likely name.
 */
export function findField(kinds: readonly SchemaKind[], text: string): SchemaField {
  const [first = '', ...rest] = text.replace(/\[\w*\]/g, '').split('.')
  const named = kinds.find(({ kind }) => [kind, kind.replace('Configuration', '')].includes(capitalised(first)))
  if (named) return findIn(named, rest) ?? failNotFound([named], rest)
  const path = [first, ...rest]
  // A map takes any name, so that no name would be wrong: only those of the first kind count.
  const fields = kinds.map((kind, index) => findIn(kind, path, index === 0) ?? findInSpec(kind, path))
  const field = fields.find(candidate => candidate !== undefined)
  if (field) return field
  return failNotFound(kinds, path)
}

/** The whole document of a kind. */
export function rootField({ kind, schema }: SchemaKind): SchemaField {
  return describe(kind, schema, [], schema, true)
}

function findIn({ kind, schema }: SchemaKind, path: readonly string[], maps: boolean = true): SchemaField | undefined {
  let node = schema
  let required = true
  for (const name of path) {
    const next = childrenOf(schema, node).get(name) ?? (maps ? mapValue(schema, node) : undefined)
    if (!next) return undefined
    required = requiredOf(schema, node).includes(name)
    node = next
  }
  return describe(kind, schema, path, node, required)
}

function findInSpec(kind: SchemaKind, path: readonly string[]): SchemaField | undefined {
  const spec = findIn(kind, ['spec'])
  const known = spec?.fields.some(field => field.path.at(-1) === path[0])
  return known ? findIn(kind, ['spec', ...path]) : undefined
}

function failNotFound(kinds: readonly SchemaKind[], path: readonly string[]): never {
  const missing = `there is no field ${path.join('.')}`
  const suggestion = kinds.map(kind => suggestPath(kind, path)).find(candidate => candidate !== undefined)
  if (suggestion !== undefined) throw new ReeveError('not-found', `${missing}; did you mean ${suggestion}?`)
  throw new ReeveError('not-found', `${missing}; reeve explain shows what there is`)
}

/** The path with the first name that doesn't exist put right, if one is near enough. */
function suggestPath(kind: SchemaKind, path: readonly string[]): string | undefined {
  for (const start of [[], ['spec']]) {
    const depth = path.findIndex((_, index) => findIn(kind, [...start, ...path.slice(0, index + 1)]) === undefined)
    const parent = findIn(kind, [...start, ...path.slice(0, depth)])
    const names = parent?.fields.map(field => field.path.at(-1) ?? '') ?? []
    const likely = suggest(path[depth] ?? '', names)
    if (parent && likely !== undefined) return [...parent.path, likely, ...path.slice(depth + 1)].join('.')
  }
  return undefined
}

function describe(
  kind: string,
  root: SchemaNode,
  path: readonly string[],
  node: SchemaNode,
  required: boolean,
  depth: number = 0,
): SchemaField {
  const resolved = resolve(root, node)
  const needed = requiredOf(root, node)
  // One level below is enough for a page, and schemas may be recursive.
  const children = depth === 0 ? [...childrenOf(root, node)] : []
  return {
    kind,
    path,
    description: node.description ?? resolved.description ?? '',
    type: typeText(root, node),
    ...(resolved.default !== undefined && { default: resolved.default }),
    required,
    fields: children.map(([name, child]) => {
      return describe(kind, root, [...path, name], child, needed.includes(name), depth + 1)
    }),
  }
}

/** What can stand below: of an object its properties, of a list those of its items, of alternatives those of all. */
function childrenOf(root: SchemaNode, node: SchemaNode): Map<string, SchemaNode> {
  const { properties, items, anyOf, additionalProperties } = resolve(root, node)
  if (properties) return new Map(Object.entries(properties))
  if (items) return childrenOf(root, items)
  if (anyOf) return new Map(anyOf.flatMap(alternative => [...childrenOf(root, alternative)]))
  if (typeof additionalProperties === 'object') return childrenOf(root, additionalProperties)
  return new Map()
}

function mapValue(root: SchemaNode, node: SchemaNode): SchemaNode | undefined {
  const { additionalProperties, description } = resolve(root, node)
  if (typeof additionalProperties !== 'object') return undefined
  return { ...(description !== undefined && { description }), ...additionalProperties }
}

function requiredOf(root: SchemaNode, node: SchemaNode): readonly string[] {
  const { required, items } = resolve(root, node)
  return required ?? (items ? requiredOf(root, items) : [])
}

/** The node that `$ref` names, with what is said beside the `$ref` over it. */
function resolve(root: SchemaNode, node: SchemaNode): SchemaNode {
  if (node.$ref === undefined) return node
  const { $ref, ...beside } = node
  const target = root.$defs?.[definitionName($ref)]
  if (!target) throw new ReeveError('internal', `the schema has no ${$ref}`)
  return { ...resolve(root, target), ...beside }
}

function definitionName(reference: string): string {
  return reference.slice('#/$defs/'.length)
}

/** `duration`, `running | stopped`, `list of name`, `map of text`: short, for people. */
function typeText(root: SchemaNode, node: SchemaNode): string {
  const resolved = resolve(root, node)
  if (resolved.const !== undefined) return String(resolved.const)
  if (resolved.enum) return resolved.enum.map(String).join(' | ')
  if (resolved.anyOf) return resolved.anyOf.map(alternative => typeText(root, alternative)).join(' or ')
  if (resolved.type === 'array') return `list of ${resolved.items ? typeText(root, resolved.items) : 'anything'}`
  if (resolved.type === 'object' && !resolved.properties) {
    const { additionalProperties } = resolved
    return typeof additionalProperties === 'object' ? `map of ${typeText(root, additionalProperties)}` : 'map'
  }
  // A named string is more telling than `string`: path, duration, signal.
  if (resolved.type === 'string' && node.$ref) return wordsOf(definitionName(node.$ref))
  return resolved.type ?? 'anything'
}

function wordsOf(camelCase: string): string {
  return camelCase.replace(/[A-Z]/g, letter => ` ${letter.toLowerCase()}`)
}

function capitalised(text: string): string {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}`
}
