// Compiles the schemas that our own providers bring, as compile.mjs does with Reeve's: to compile one at run time takes
// longer than all else that `reeve plan` does with it. Runs when tsc has made providers that can be asked.
import { createHash } from 'node:crypto'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { builtinProviders } from '../dist/providers/registry.js'
import { addSchema, generate, write } from './standalone-code.mjs'

const ajv = new Ajv2020({ strict: false, messages: false, inlineRefs: false, code: { source: true } })
/** By the digest of the schema: one that has changed since is found not to be here. */
const names = new Map()
for (const load of Object.values(builtinProviders)) {
  const { configSchema, optionsSchema } = (await load()).capabilities
  for (const schema of [configSchema, optionsSchema]) {
    if (schema === undefined) continue
    const digest = createHash('sha256').update(JSON.stringify(schema)).digest('hex')
    if (names.has(digest)) continue
    names.set(digest, `validate${names.size}`)
    addSchema(ajv, schema, digest)
  }
}
const exported = Object.fromEntries([...names].map(([digest, name]) => [name, digest]))
const table = [...names].map(([digest, name]) => `  '${digest}': exports.${name},\n`).join('')
// CommonJS, so that it can be loaded at once, by who needs it.
await write('native.cjs', `${generate(ajv, exported)}exports.validators = {\n${table}}\n`)
