// What makes modules of schemas, for compile.mjs and compile-native.mjs.
import { access, mkdir, rename, writeFile } from 'node:fs/promises'
import standaloneModule from 'ajv/dist/standalone/index.js'

const standaloneCode = standaloneModule.default
const target = new URL('compiled/', import.meta.url)

/** The same schema without some keywords and those that are ours; properties that happen to have their names stay. */
export function withoutKeywords(node, keywords, isPropertyMap = false) {
  if (Array.isArray(node)) return node.map(item => withoutKeywords(item, keywords))
  if (node === null || typeof node !== 'object') return node
  const kept = Object.entries(node).filter(
    ([key]) => isPropertyMap || !(keywords.includes(key) || key.startsWith('x-')),
  )
  return Object.fromEntries(
    kept.map(([key, value]) => [key, withoutKeywords(value, keywords, !isPropertyMap && key === 'properties')]),
  )
}

/** The generated code carries its schema along; nothing there reads the words. */
export function addSchema(ajv, schema, key = schema.$id) {
  ajv.addSchema(withoutKeywords(schema, ['title', 'description', 'default']), key)
}

/** The code of a module: of names and the keys of what they are to validate, or of a CommonJS module that is a validator. */
export function generate(ajv, exported) {
  const code = standaloneCode(ajv, exported)
    .replaceAll('require("ajv/dist/runtime/ucs2length").default', '(text => [...text].length)')
    // Of `uniqueItems`, which is asked of lists of text only.
    .replaceAll('require("ajv/dist/runtime/equal").default', 'Object.is')
  if (/\brequire\(|^import /m.test(code)) {
    throw new Error('the validators would import a helper of ajv at run time: express the schema without it')
  }
  return `${code}\n`
}

/** By rename, so that nobody who builds at the same time reads half a file. */
export async function write(name, content) {
  await mkdir(target, { recursive: true })
  const path = new URL(name, target)
  const temporary = new URL(`.${name}.${process.pid}`, target)
  await writeFile(temporary, content)
  await rename(temporary, path)
}

export async function exists(name) {
  return access(new URL(name, target)).then(
    () => true,
    () => false,
  )
}
