// Makes of a schema what reads its documents into normal form at run time: the shape of each field, without the words for
// people, and the TypeScript type of what is read. See README.md for the keywords that begin with `x-`.

const numberForms = ['duration', 'octal', 'size']
/** What a form is in normal form, where that isn't what the manifest says. */
const units = { duration: 'Milliseconds.', size: 'Bytes.', path: 'Absolute.' }

/** The keywords that a shape has as the schema has them. */
const kept = ['const', 'enum', 'type', 'minimum', 'maximum', 'maxLength', 'minItems', 'maxItems', 'default', 'required']

/**
 * The shape of a schema whose references are resolved. What may be empty is empty where it is absent, but for what is
 * `x-optional`, and all below that.
 */
export function shapeOf(schema) {
  const { anyOf, oneOf, items, properties, additionalProperties, propertyNames, pattern } = schema
  const shape = { title: schema.title ?? titleOf(schema) }
  for (const keyword of kept) if (schema[keyword] !== undefined) shape[keyword] = schema[keyword]
  for (const [keyword, value] of Object.entries(schema)) {
    if (keyword.startsWith('x-') && keyword !== 'x-policy') shape[keyword.slice('x-'.length)] = value
  }
  if (pattern !== undefined) shape.pattern = new RegExp(pattern, 'u')
  if (anyOf !== undefined) shape.anyOf = anyOf.map(shapeOf)
  if (oneOf !== undefined) shape.oneOf = oneOf.flatMap(({ required }) => required)
  if (items !== undefined) shape.items = shapeOf(items)
  if (properties !== undefined) shape.properties = mapValues(fieldsOf(schema), shapeOf)
  if (propertyNames !== undefined) shape.names = shapeOf(propertyNames)
  if (additionalProperties) shape.entries = additionalProperties === true ? {} : shapeOf(additionalProperties)
  const empty = emptyOf(schema)
  if (shape.default === undefined && empty !== undefined) shape.default = empty
  return shape
}

function fieldsOf({ properties, 'x-optional': optional }) {
  return optional ? mapValues(properties, child => ({ ...child, 'x-optional': true })) : properties
}

function emptyOf({ type, minItems = 0, required = [], oneOf }) {
  if (type === 'array') return minItems === 0 ? [] : undefined
  return type === 'object' && required.length === 0 && oneOf === undefined ? {} : undefined
}

/** What a message says it must be. */
function titleOf(schema) {
  const { type, minimum, maximum } = schema
  if (schema['x-form'] === 'command') return 'the program and its arguments as a list of texts'
  const values = schema.enum ?? (schema.const === undefined ? [] : [schema.const])
  if (values.length > 0) return listOf(values.map(String))
  if (schema.anyOf !== undefined) return listOf(schema.anyOf.map(way => way.title ?? titleOf(way)))
  if (type === 'integer' || type === 'number') {
    const least = minimum === undefined ? '' : ` from ${minimum}`
    return `a number${least}${maximum === undefined ? '' : ` to ${maximum}`}`
  }
  return { array: 'a list', boolean: 'true or false', object: 'a map', string: 'text' }[type] ?? 'something else'
}

function listOf(words) {
  return words.length < 2 ? words.join() : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`
}

/** The fields below a schema as their paths, of those that a provider may be unable to honour. */
export function portableFields(schema, path = '') {
  const { properties, additionalProperties, anyOf } = schema
  if (schema['x-whole']) return [path]
  const below = Object.entries(properties ?? {}).map(([key, child]) => [child, path === '' ? key : `${path}.${key}`])
  if (typeof additionalProperties === 'object') below.push([additionalProperties, path])
  if (anyOf?.some(way => way.properties !== undefined)) {
    for (const way of anyOf) below.push([way, way.const === undefined ? path : `${path}.${way.const}`])
  }
  if (below.length === 0) return [path]
  return below.flatMap(([child, at]) => portableFields(child, at))
}

/** The defaults that are filled in by who reads a field, by its path, as a document has them. */
export function optionalDefaults({ properties = {}, anyOf = [] }, path = '') {
  const below = Object.entries(properties).flatMap(([key, child]) => {
    const at = `${path}${key}`
    return child['x-optional'] ? [[at, child.default]] : optionalDefaults(child, `${at}.`)
  })
  return [...below, ...anyOf.flatMap(way => optionalDefaults(way, path))]
}

/**
 * A schema of a part of what fits the given one, to be laid over a whole as a JSON merge patch: nothing is required, and null
 * takes a field away. There is no file that its paths could be relative to.
 */
export function patchSchema(schema) {
  const { properties, additionalProperties, anyOf, items } = schema
  const { required: _, oneOf: __, default: ___, ...patch } = withoutExtensions(schema)
  const ways = anyOf?.filter(way => way['x-flag'] === undefined)
  if (ways?.length === 1) return { ...patchSchema(ways[0]), description: schema.description }
  if (schema['x-form'] === 'signal') delete patch.pattern
  if (schema['x-form'] === 'path') Object.assign(patch, { title: 'an absolute path', pattern: '^/[^\\u0000]*$' })
  if (ways !== undefined) patch.anyOf = ways.map(patchSchema)
  if (items !== undefined) patch.items = patchSchema(items)
  if (properties !== undefined) patch.properties = mapValues(properties, nullable)
  if (typeof additionalProperties === 'object') patch.additionalProperties = nullable(additionalProperties)
  return patch
}

function nullable(schema) {
  const { description = '', ...patch } = patchSchema(schema)
  const told = description.replace("Relative to the manifest file's directory.", 'Absolute.')
  return { ...(told !== '' && { description: told }), anyOf: [patch, { type: 'null' }] }
}

function withoutExtensions(schema) {
  return Object.fromEntries(Object.entries(schema).filter(([keyword]) => !keyword.startsWith('x-')))
}

/** The type of what is read of a schema, in TypeScript. */
export function typeOf(schema) {
  const { type, anyOf, items, properties, additionalProperties } = schema
  if (schema.typeName !== undefined) return schema.typeName
  if (numberForms.includes(schema['x-form'])) return 'number'
  if (schema.const !== undefined) return JSON.stringify(schema.const)
  if (schema.enum !== undefined) return schema.enum.map(value => JSON.stringify(value)).join(' | ')
  if (anyOf !== undefined) {
    return anyOf
      .filter(way => way['x-flag'] === undefined)
      .map(typeOf)
      .join(' | ')
  }
  if (type === 'array') return `readonly ${/^\w+$/.test(typeOf(items)) ? typeOf(items) : `(${typeOf(items)})`}[]`
  if (type !== 'object')
    return [type]
      .flat()
      .map(each => (each === 'integer' ? 'number' : each))
      .join(' | ')
  if (properties !== undefined) return tableType(schema)
  return `Readonly<Record<string, ${additionalProperties === true ? 'unknown' : typeOf(additionalProperties)}>>`
}

function tableType(schema) {
  const { required = [], oneOf = [] } = schema
  const properties = fieldsOf(schema)
  const choice = new Set(oneOf.flatMap(({ required }) => required))
  const fields = Object.entries(properties).map(([key, child]) => ({ key, text: fieldType(key, child, required) }))
  const common = fields.filter(({ key }) => !choice.has(key)).map(({ text }) => text)
  const table = `{\n${common.join('')}}`
  if (choice.size === 0) return table
  const ways = [...choice].map(key => `{\n${fieldType(key, properties[key], [key])}}`).join(' | ')
  return common.length === 0 ? ways : `${table} & (${ways})`
}

function fieldType(key, schema, required) {
  const flags = (schema.anyOf ?? []).filter(way => way['x-flag'] !== undefined)
  const isThere = required.includes(key) || (!schema['x-optional'] && (schema.default ?? emptyOf(schema)) !== undefined)
  const [sentence] = (schema.description ?? '').split(/(?<=\.)(?<!\b(?:e\.g|i\.e)\.)\s/, 1)
  const words = [sentence, units[schema['x-form']]].filter(Boolean).join(' ')
  return [
    `/** ${words} */\nreadonly ${key}${isThere ? '' : '?'}: ${typeOf(schema)}\n`,
    ...flags.map(way => `/** ${way.description} Then there is no \`${key}\`. */\nreadonly ${way['x-flag']}?: true\n`),
  ].join('')
}

function mapValues(table, change) {
  return Object.fromEntries(Object.entries(table).map(([key, value]) => [key, change(value)]))
}

/**
 * JavaScript of a module with these exports. `names` has those of values that stand elsewhere; what is there more than once
 * is written once.
 */
export function moduleOf(exported, names = new Map()) {
  const whole = value => names.get(value) ?? codeOf(value, whole)
  const times = new Map()
  const count = value => {
    const code = whole(value)
    times.set(code, (times.get(code) ?? 0) + 1)
    return codeOf(value, count)
  }
  for (const value of Object.values(exported)) count(value)
  const shared = new Map()
  const share = value => {
    const code = whole(value)
    if (times.get(code) < 2 || code.length < 40 || names.has(value)) return names.get(value) ?? codeOf(value, share)
    const statement = codeOf(value, share)
    if (!shared.has(code)) shared.set(code, { name: `shared${shared.size}`, statement })
    return shared.get(code).name
  }
  const exports = Object.entries(exported).map(([name, value]) => `export const ${name} = ${share(value)}\n`)
  return [...[...shared.values()].map(({ name, statement }) => `const ${name} = ${statement}\n`), ...exports].join('')
}

/** JavaScript that is the value; `partOf` gives that of what is in it. */
function codeOf(value, partOf) {
  if (value instanceof RegExp) return String(value)
  if (Array.isArray(value)) return `[${value.map(partOf).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  return `{${Object.entries(value)
    .map(([key, part]) => `${JSON.stringify(key)}:${partOf(part)}`)
    .join(',')}}`
}
