import { limitNames } from '../provider/process-reading.ts'

const text = { type: 'string' }
const path = { title: 'an absolute path', type: 'string', pattern: '^/' }
const signal = { title: 'the name of a signal, such as TERM', type: 'string', pattern: '^(SIG)?[A-Z0-9+-]+$' }
const duration = {
  title: 'a duration such as 500ms, 10s, 5m or 1h',
  type: 'string',
  pattern: '^[0-9]{1,15}(ms|s|m|h)$',
}
const command = { type: 'array', minItems: 1, items: text }

function nullable(schema: object): object {
  return { anyOf: [schema, { type: 'null' }] }
}

function table(properties: Readonly<Record<string, object>>, description: string): object {
  const all = Object.entries(properties).map(([name, schema]) => [name, nullable(schema)])
  return { type: 'object', description, additionalProperties: false, properties: Object.fromEntries(all) }
}

/** JSON Schema of `spec.config.process`. */
export const configSchema: object = table(
  {
    command,
    workingDirectory: path,
    user: text,
    group: text,
    umask: { title: 'three octal digits in quotes, such as "0022"', type: 'string', pattern: '^0?[0-7]{1,3}$' },
    environment: {
      type: 'object',
      propertyNames: {
        title: "a variable's name: letters, digits and _, not starting with a digit",
        pattern: '^[A-Za-z_][A-Za-z0-9_]*$',
      },
      additionalProperties: nullable({ anyOf: [text, table({ fromFile: path }, 'A secret.')] }),
    },
    environmentFiles: { type: 'array', items: path },
    limits: table(
      Object.fromEntries(
        limitNames.map(name => [name, { anyOf: [{ type: 'integer', minimum: 0 }, { const: 'unlimited' }] }]),
      ),
      'Resource limits, soft and hard.',
    ),
    restart: table({ policy: { enum: ['always', 'on-failure', 'never'] }, delay: duration }, 'What follows its end.'),
    stop: table({ signal, timeout: duration }, 'How it is stopped.'),
    reload: table({ signal, command }, 'How it is reloaded: replaces the one of spec.process.'),
    output: table(
      {
        file: path,
        maxSize: { title: 'a size such as 512KiB or 10MiB', type: 'string', pattern: '^[0-9]{1,15}(B|KiB|MiB|GiB)$' },
        keep: { type: 'integer' },
      },
      'Where its output goes.',
    ),
  },
  'What is different under the built-in supervisor: a part of spec.process laid over it. Null takes a field away.',
)

/** JSON Schema of `spec.process` of a Supervisor. */
export const optionsSchema: object = {
  type: 'object',
  description: 'Options of an instance of the built-in supervisor.',
  additionalProperties: false,
  properties: {
    directory: {
      ...path,
      description:
        'Where this instance keeps its definitions, state and logs. Absolute. Default: under the state directory.',
    },
  },
}
