import { hash } from 'node:crypto'
import { createRequire } from 'node:module'
import type { Ajv2020, ValidateFunction } from 'ajv/dist/2020.js'
import { messageOf } from '../../core/reeve-error.ts'
import { type FieldPath, type FieldProblem, formatPath } from '../diagnostics/problem.ts'
import type { NativeSchemas } from '../manifest-options.ts'
import { explainSchemaErrors } from './schema-check.ts'

/**
 * Checks values by the schemas that providers bring. Of those that come with Reeve, validators were made when it was built;
 * ajv is loaded for others, and to say what is wrong.
 */
export interface NativeCheck {
  /** Checks the value at `path` against one of the type's schemas (`which`). */
  check(type: string, which: Schema, value: unknown, path: FieldPath): FieldProblem[]
}

type Schema = 'configSchema' | 'optionsSchema'

type Validate = (value: unknown) => boolean

export function createNativeCheck(schemaOf: ((type: string) => NativeSchemas | undefined) | undefined): NativeCheck {
  const validators = new WeakMap<object, ValidateFunction>()
  const quick = new WeakMap<object, Validate>()
  let compiled: Readonly<Record<string, Validate>> | undefined
  let ajv: Ajv2020 | undefined

  function compile(schema: object): ValidateFunction {
    const known = validators.get(schema)
    if (known !== undefined) return known
    ajv ??= loadAjv()
    const validate = ajv.compile(schema)
    validators.set(schema, validate)
    return validate
  }

  function isValid(schema: object, value: unknown): boolean {
    const known = quick.get(schema)
    if (known !== undefined) return known(value)
    const digest = hash('sha256', JSON.stringify(schema))
    compiled ??= loadCompiled()
    const found = compiled[digest] ?? (() => false)
    quick.set(schema, found)
    return found(value)
  }

  return {
    check(type, which, value, path) {
      const schemas = schemaOf?.(type)
      if (schemas === undefined) return []
      const schema = schemas[which]
      if (schema === undefined) {
        if (which === 'optionsSchema' && Object.keys(Object(value)).length === 0) return []
        const message = `${formatPath(path)}: the provider ${type} takes ${words[which]}`
        return [{ code: 'unsupported-config', message, path, atKey: true }]
      }
      if (isValid(schema, value)) return []
      try {
        const validate = compile(schema)
        if (validate(value)) return []
        return explainSchemaErrors(validate.errors ?? [], value, schema, path)
      } catch (error) {
        const message = `${formatPath(path)} cannot be checked: the provider ${type} brings a schema that is not valid: ${messageOf(error)}`
        return [{ code: 'provider-schema', message, path, atKey: true }]
      }
    },
  }
}

const words: Readonly<Record<Schema, string>> = {
  configSchema: 'no native configuration',
  optionsSchema: 'no options',
}

/** By the SHA-256 of the schema's JSON; see schemas/compile-native.mjs. */
function loadCompiled(): Readonly<Record<string, Validate>> {
  const module: { validators: Readonly<Record<string, Validate>> } = createRequire(import.meta.url)(
    '#schemas/compiled/native.cjs',
  )
  return module.validators
}

function loadAjv(): Ajv2020 {
  const module: typeof import('ajv/dist/2020.js') = createRequire(import.meta.url)('ajv/dist/2020.js')
  return new module.Ajv2020({
    allErrors: true,
    strict: false,
    logger: false,
    validateFormats: false,
    addUsedSchema: false, // two providers may use one $id
  })
}
