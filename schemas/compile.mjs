// Makes schemas/compiled/ from the schemas: validators (no ajv at run time), types, the shapes by which documents are read
// into normal form, and the schemas with every $ref resolved, which messages and `reeve explain` are made from. Needs
// node_modules only.
import { readdir, readFile } from 'node:fs/promises'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { compile as compileTypes } from 'json-schema-to-typescript'
import { moduleOf, optionalDefaults, patchSchema, portableFields, shapeOf, typeOf } from './shapes.mjs'
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

/** What `spec.process` is, which providers read as well, and the manifest around it. */
async function writeFacilityShapes(schema) {
  const { process } = schema.properties.spec.properties
  const root = shapeOf(schema)
  const shape = root.properties.spec.properties.process
  const fields = portableFields(process)
  const defaults = Object.fromEntries(optionalDefaults(process))
  await write(
    'process.js',
    moduleOf({
      processShape: shape,
      portableFields: fields,
      optionalDefaults: defaults,
      processPatch: patchSchema(process),
    }),
  )
  await write(
    'process.d.ts',
    `/** ${process.description} In normal form. */
export interface Process ${typeOf(process)}
/** The fields of \`spec.process\` that a provider may be unable to honour; see \`Capabilities\`. */
export type PortableField = ${fields.map(field => `'${field}'`).join(' | ')}
export declare const processShape: { readonly normal?: Process }
export declare const portableFields: readonly PortableField[]
/** The defaults of fields that stay absent in normal form, as a manifest has them. */
export declare const optionalDefaults: ${JSON.stringify(defaults)}
/** JSON Schema of a part of \`spec.process\`, to be laid over a whole. Null takes a field away. */
export declare const processPatch: object\n`,
  )
  process.typeName = 'Process'
  const code = moduleOf({ facilityShape: root }, new Map([[shape, 'processShape']]))
  await write('facility.shape.js', `import { processShape } from './process.js'\n${code}`)
  await write('facility.shape.d.ts', `import type { Process } from './process.js'\n${declareShape('facility', schema)}`)
}

function declareShape(name, schema) {
  const form = `${schema.title.replace(/Manifest$|File$/, '')}Form`
  return `/** ${schema.description} In normal form. */
export interface ${form} ${typeOf(schema)}
export declare const ${camelCase(name)}Shape: { readonly normal?: ${form} }\n`
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
await writeFacilityShapes(schemas.get('facility'))
const hostConfiguration = schemas.get('host-configuration')
await write('host-configuration.shape.js', moduleOf({ hostConfigurationShape: shapeOf(hostConfiguration) }))
await write('host-configuration.shape.d.ts', declareShape('host-configuration', hostConfiguration))
// Those of providers are compiled when there are providers to be asked; see compile-native.mjs.
if (!(await exists('native.cjs'))) await write('native.cjs', 'exports.validators = {}\n')
