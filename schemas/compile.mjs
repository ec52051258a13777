// Makes schemas/compiled/ from the schemas: validators (no ajv at run time), types, and the schemas with every $ref
// resolved, which messages and `reeve explain` are made from. Needs node_modules only.
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises'
import { Ajv2020 } from 'ajv/dist/2020.js'
import standaloneModule from 'ajv/dist/standalone/index.js'
import { compile } from 'json-schema-to-typescript'

const standaloneCode = standaloneModule.default
const here = new URL('./', import.meta.url)
const target = new URL('compiled/', here)
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

/** The same schema without some keywords; properties that happen to have their names stay. */
function withoutKeywords(node, keywords, isPropertyMap = false) {
  if (Array.isArray(node)) return node.map(item => withoutKeywords(item, keywords))
  if (node === null || typeof node !== 'object') return node
  const kept = Object.entries(node).filter(([key]) => isPropertyMap || !keywords.includes(key))
  return Object.fromEntries(
    kept.map(([key, value]) => [key, withoutKeywords(value, keywords, !isPropertyMap && key === 'properties')]),
  )
}

/** `host-configuration` → `hostConfiguration` */
function camelCase(name) {
  return name.replace(/-(.)/g, (_, letter) => letter.toUpperCase())
}

function compileValidators(schemas) {
  const ajv = new Ajv2020({
    allErrors: true,
    strict: true,
    strictRequired: false,
    allowUnionTypes: true,
    code: { esm: true, source: true },
  })
  const exported = {}
  for (const [name, schema] of schemas) {
    // The generated code carries its schema along; nothing there reads the words.
    ajv.addSchema(withoutKeywords(schema, ['title', 'description', 'default']))
    exported[camelCase(name)] = schema.$id
  }
  const code = standaloneCode(ajv, exported).replaceAll(
    'require("ajv/dist/runtime/ucs2length").default',
    '(text => [...text].length)',
  )
  if (/\brequire\(|^import /m.test(code)) {
    throw new Error('the validators would import a helper of ajv at run time: express the schema without it')
  }
  return `${code}\n`
}

function declareValidators(schemas) {
  const lines = [
    `import type { ${[...schemas.values()].map(schema => schema.title).join(', ')} } from './types.js'`,
    '',
    'export interface ValidationError {',
    '  readonly instancePath: string',
    '  readonly schemaPath: string',
    '  readonly keyword: string',
    '  readonly params: Readonly<Record<string, unknown>>',
    '  readonly message?: string',
    '}',
    '',
    'export interface Validator<T> {',
    '  (data: unknown): data is T',
    '  errors?: ValidationError[] | null',
    '}',
    '',
    ...[...schemas].map(([name, schema]) => `export declare const ${camelCase(name)}: Validator<${schema.title}>`),
  ]
  return `${lines.join('\n')}\n`
}

async function declareTypes(schemas) {
  const parts = []
  for (const schema of schemas.values()) {
    // `oneOf` says "exactly one of these keys", of which TypeScript would make a union of no use, and the titles of
    // fields are prose, of which it would make type names.
    const plain = { ...withoutKeywords(schema, ['title', 'oneOf']), title: schema.title }
    parts.push(await compile(plain, schema.title, { bannerComment: '', format: false, unknownAny: true }))
  }
  return `/* eslint-disable */\n${parts.join('\n')}`
}

/** By rename, so that nobody who builds at the same time reads half a file. */
async function write(name, content) {
  const path = new URL(name, target)
  const temporary = new URL(`.${name}.${process.pid}`, target)
  await writeFile(temporary, content)
  await rename(temporary, path)
}

const schemas = new Map()
for (const file of (await readdir(here)).sort()) {
  if (!file.endsWith(suffix)) continue
  const schema = JSON.parse(await readFile(new URL(file, here), 'utf8'))
  schemas.set(file.slice(0, -suffix.length), resolveReferences(schema, schema))
}
await mkdir(target, { recursive: true })
await write('validators.js', compileValidators(schemas))
await write('validators.d.ts', declareValidators(schemas))
await write('types.d.ts', await declareTypes(schemas))
for (const [name, schema] of schemas) await write(`${name}${suffix}`, `${JSON.stringify(schema, null, 1)}\n`)
