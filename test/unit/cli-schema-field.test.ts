import { describe, expect, test } from 'vitest'
import { findField, rootField, type SchemaKind } from '../../src/cli/schema-field.ts'

const kinds: readonly SchemaKind[] = [
  {
    kind: 'Facility',
    schema: {
      type: 'object',
      description: 'A facility.',
      required: ['spec'],
      properties: {
        spec: {
          type: 'object',
          properties: {
            state: { enum: ['running', 'stopped'], default: 'running', description: 'Whether it runs.' },
            delay: { $ref: '#/$defs/duration', description: 'How long.' },
            files: { type: 'array', description: 'Files.', items: { $ref: '#/$defs/file' } },
            environment: {
              type: 'object',
              description: 'Variables.',
              additionalProperties: {
                anyOf: [
                  { type: 'string' },
                  {
                    type: 'object',
                    required: ['fromFile'],
                    properties: { fromFile: { $ref: '#/$defs/absolutePath' } },
                  },
                ],
              },
            },
          },
        },
      },
      $defs: {
        duration: { type: 'string' },
        absolutePath: { type: 'string' },
        file: {
          type: 'object',
          required: ['path'],
          properties: { path: { $ref: '#/$defs/absolutePath', description: 'Where.' }, mode: { type: 'string' } },
        },
      },
    },
  },
  {
    kind: 'HostConfiguration',
    schema: { type: 'object', properties: { resync: { type: 'string', description: 'Time between passes.' } } },
  },
]

describe('explain finds', () => {
  test.each([
    ['spec.state', 'spec.state', 'running | stopped', 'Whether it runs.'],
    ['facility.spec.delay', 'spec.delay', 'duration', 'How long.'],
    ['spec.files', 'spec.files', 'list of object', 'Files.'],
    ['spec.files.path', 'spec.files.path', 'absolute path', 'Where.'],
    ['spec.files[0].path', 'spec.files.path', 'absolute path', 'Where.'],
    ['spec.files[].path', 'spec.files.path', 'absolute path', 'Where.'],
    ['state', 'spec.state', 'running | stopped', 'Whether it runs.'],
    ['spec.environment', 'spec.environment', 'map of string or object', 'Variables.'],
    ['spec.environment.TOKEN', 'spec.environment.TOKEN', 'string or object', 'Variables.'],
    ['spec.environment.TOKEN.fromFile', 'spec.environment.TOKEN.fromFile', 'absolute path', ''],
    ['host.resync', 'resync', 'string', 'Time between passes.'],
    ['resync', 'resync', 'string', 'Time between passes.'],
  ])('%s', (text, path, type, description) => {
    const field = findField(kinds, text)
    expect({ path: field.path.join('.'), type: field.type, description: field.description }).toEqual({
      path,
      type,
      description,
    })
  })

  test('what can stand below, and what has to', () => {
    const { fields } = findField(kinds, 'spec.files')
    expect(fields.map(field => [field.path.at(-1), field.required])).toEqual([
      ['path', true],
      ['mode', false],
    ])
    expect(rootField(kinds[0] as SchemaKind).fields.map(field => field.path)).toEqual([['spec']])
  })

  test('a default', () => {
    expect(findField(kinds, 'spec.state').default).toBe('running')
  })
})

test.each([
  ['spec.stat', 'did you mean spec.state?'],
  ['spec.file.path', 'did you mean spec.files.path?'],
  ['files.pth', 'did you mean spec.files.path?'],
  ['host.resnyc', 'did you mean resync?'],
  ['nothing.like.it', 'reeve explain shows what there is'],
])('there is no %s: %s', (text, message) => {
  expect(() => findField(kinds, text)).toThrow(`there is no field ${text.replace('host.', '')}`)
  expect(() => findField(kinds, text)).toThrow(message)
})
