import { createRequire } from 'node:module'
import { lookUp } from '../../core/dictionary.ts'
import { listOf } from '../diagnostics/field-suggestion.ts'

/** The part of JSON Schema that messages and explanations are made from. */
export interface SchemaNode {
  readonly title?: string
  readonly description?: string
  readonly type?: string | readonly string[]
  readonly properties?: Readonly<Record<string, SchemaNode>>
  readonly additionalProperties?: boolean | SchemaNode
  readonly propertyNames?: SchemaNode
  readonly items?: SchemaNode
  readonly required?: readonly string[]
  readonly pattern?: string
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly default?: unknown
  readonly anyOf?: readonly SchemaNode[]
  readonly oneOf?: readonly SchemaNode[]
  readonly allOf?: readonly SchemaNode[]
}

export type SchemaName = 'facility' | 'supervisor' | 'host-configuration' | 'plan' | 'status'

/** Reads one of our schemas with every $ref resolved; needed only for messages and explanations. */
export function readSchema(name: SchemaName): SchemaNode {
  return createRequire(import.meta.url)(`#schemas/compiled/${name}.schema.json`)
}

/** Value at a JSON pointer (`#/properties/spec/required`) in a schema. */
export function schemaAt(root: SchemaNode, pointer: string): unknown {
  let node: unknown = root
  for (const part of pointerParts(pointer.replace(/^[^#]*#/, ''))) {
    if (typeof node !== 'object' || node === null) return undefined
    node = Reflect.get(node, part)
  }
  return node
}

/** The parts of a JSON pointer: `/spec/files/0`. */
export function pointerParts(pointer: string): string[] {
  if (pointer === '') return []
  return pointer
    .slice(1)
    .split('/')
    .map(part => decodeFragment(part).replaceAll('~1', '/').replaceAll('~0', '~'))
}

/** Schema paths are URI fragments. */
function decodeFragment(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}

/** Expected value in words for a message: `a list`, `text`, … */
export function expectation(node: SchemaNode): string {
  const wanted = [...new Set(expectationsOf(node))]
  return wanted.length === 0 ? 'something else' : listOf(wanted, 'or')
}

function expectationsOf(node: SchemaNode): string[] {
  if (node.title !== undefined) return [node.title]
  if (node.enum !== undefined) return node.enum.map(showValue)
  if (node.const !== undefined) return [showValue(node.const)]
  // Ours have titles; those of outside providers may not.
  if (node.pattern !== undefined) return [`text that matches ${node.pattern}`]
  if (node.type !== undefined) return [node.type].flat().map(type => lookUp(typeWords, type) ?? type)
  return [...(node.anyOf ?? []), ...(node.oneOf ?? [])].flatMap(expectationsOf)
}

const typeWords: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  integer: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a map',
  null: 'null',
}

/** First sentence of a description. "e.g." and "i.e." end no sentence. */
export function firstSentence(description: string = ''): string {
  return description.split(/(?<=\.)(?<!\b(?:e\.g|i\.e)\.)\s/, 1)[0] ?? ''
}

/** Value of a schema as it is written in YAML. */
export function showValue(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

/** Value of a manifest in words for a message: `the text "x"`, `a list`. */
export function describeValue(value: unknown): string {
  if (value === null || value === undefined) return 'nothing'
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list'
  switch (typeof value) {
    case 'string':
      return value === '' ? 'an empty text' : `the text "${value.length > 60 ? `${value.slice(0, 60)}…` : value}"`
    case 'object':
      return 'a map'
    default:
      return String(value)
  }
}
