import { createDictionary } from '../../core/dictionary.ts'
import { type SchemaNode, schemaAt } from './schema-node.ts'

/**
 * A provider's schema with what its `$ref`s point at in their places, as far as they point into the schema itself. A schema that
 * contains itself ends there with its description: an explanation is finite.
 */
export function resolveReferences(schema: object): SchemaNode {
  return resolve(schema, schema, []) as SchemaNode
}

function resolve(value: unknown, root: object, within: readonly string[]): unknown {
  if (Array.isArray(value)) return value.map(item => resolve(item, root, within))
  if (typeof value !== 'object' || value === null) return value
  const reference: unknown = Reflect.get(value, '$ref')
  const isInside = typeof reference === 'string' && reference.startsWith('#')
  const entries = Object.entries(value).filter(([key]) => key !== '$defs' && !(isInside && key === '$ref'))
  if (!isInside) return createDictionary(entries.map(([key, item]) => [key, resolve(item, root, within)]))
  const own = createDictionary(entries.map(([key, item]) => [key, resolve(item, root, within)]))
  const target = schemaAt(root, reference)
  if (typeof target !== 'object' || target === null) return own
  if (within.includes(reference)) return { ...describedOnly(target), ...own }
  return { ...(resolve(target, root, [...within, reference]) as object), ...own }
}

function describedOnly(node: object): object {
  return createDictionary(Object.entries(node).filter(([key]) => ['title', 'description', 'type'].includes(key)))
}
