import { processPatch } from '#schemas/compiled/process.js'

/** JSON Schema of `spec.config.process`. */
export const configSchema: object = {
  ...processPatch,
  'x-policy': ['config'],
  description:
    'What is different under the built-in supervisor: a part of spec.process laid over it. Null takes a field away.',
}

/** JSON Schema of `spec.process` of a Supervisor. */
export const optionsSchema: object = {
  type: 'object',
  'x-policy': ['supervisorDirectories'],
  description: 'Options of an instance of the built-in supervisor.',
  additionalProperties: false,
  properties: {
    directory: {
      title: 'an absolute path',
      type: 'string',
      pattern: '^/',
      description:
        'Where this instance keeps its definitions, state and logs. Absolute. Default: under the state directory.',
    },
  },
}
