// Makes schemas/compiled/ from the schemas: validators (no ajv at run time), types, and the schemas with every $ref
// resolved, which messages and `reeve explain` are made from. Needs node_modules only.
import { readdir, readFile } from 'node:fs/promises'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { compile as compileTypes } from 'json-schema-to-typescript'
import { addSchema, exists, generate, withoutKeywords, write } from './standalone-code.mjs'

const here = new URL('./', import.meta.url)
const suffix = '.schema.json'

/** Puts what a `#/$defs/…` points at in its place. Keywords beside the $ref win. */
function resolveReferences(node, root) {
  if (Array.isArray(node)) return node.map(item => resolveReferences(item, root))
  if (node === null || typeof node !== 'object') return node
  const { $ref, $defs, ...rest } = node
  const own = Object.fromEntries(Object.entries(rest).map(([key, value]) => [key, resolveReferences(value, root)]))
  if ($ref === undefined) return own
  const name = $ref.replace(/^#\/\$defs\//, '')
  const definition = root.$defs?.[name]
  if (definition === undefined) throw new Error(`${root.$id}: ${$ref} points nowhere`)
  return { ...resolveReferences(definition, root), ...own }
}

/** `host-configuration` → `hostConfiguration` */
function camelCase(name) {
  return name.replace(/-(.)/g, (_, letter) => letter.toUpperCase())
}

/** What only says yes or no: small, as it is loaded by every command. */
function compileValidator(name, schema) {
  const ajv = new Ajv2020({ ...strictness, messages: false, inlineRefs: false, code: { esm: true, source: true } })
  addSchema(ajv, schema)
  return generate(ajv, { [camelCase(name)]: schema.$id })
}

/** What finds every error: large, and loaded only when there is one. CommonJS, so that it can be loaded at once. */
function compileErrorFinder(schema) {
  const ajv = new Ajv2020({ ...strictness, allErrors: true, code: { source: true } })
  addSchema(ajv, schema)
  return generate(ajv, ajv.getSchema(schema.$id))
}

function declareValidator(name, { title }) {
  const type = `import type { ${title} } from './types.js'`
  return `${type}\n\nexport declare function ${camelCase(name)}(data: unknown): data is ${title}\n`
}

async function declareTypes(schemas) {
  const parts = []
  for (const schema of schemas.values()) {
    // `oneOf` says "exactly one of these keys", of which TypeScript would make a union of no use, and the titles of
    // fields are prose, of which it would make type names.
    const plain = { ...withoutKeywords(schema, ['title', 'oneOf']), title: schema.title }
    parts.push(await compileTypes(plain, schema.title, { bannerComment: '', format: false, unknownAny: true }))
  }
  return `/* eslint-disable */\n${parts.join('\n')}`
}

const strictness = { strict: true, strictRequired: false, allowUnionTypes: true }
/** As they are written, and with every $ref resolved. */
const sources = new Map()
const schemas = new Map()
for (const file of (await readdir(here)).sort()) {
  if (!file.endsWith(suffix)) continue
  const schema = JSON.parse(await readFile(new URL(file, here), 'utf8'))
  const name = file.slice(0, -suffix.length)
  sources.set(name, schema)
  schemas.set(name, resolveReferences(schema, schema))
}
await write('types.d.ts', await declareTypes(schemas))
for (const [name, schema] of schemas) {
  await write(`${name}.js`, compileValidator(name, sources.get(name)))
  await write(`${name}.errors.cjs`, compileErrorFinder(schema))
  await write(`${name}.d.ts`, declareValidator(name, schema))
  await write(`${name}${suffix}`, `${JSON.stringify(schema, null, 1)}\n`)
}
// Those of providers are compiled when there are providers to be asked; see compile-native.mjs.
if (!(await exists('native.cjs'))) await write('native.cjs', 'exports.validators = {}\n')
