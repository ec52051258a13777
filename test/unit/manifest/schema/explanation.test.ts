import { describe, expect, test } from 'vitest'
import { ReeveError } from '../../../../src/core/reeve-error.ts'
import { loadOwnProviders } from '../../../../src/engine/session/provider-loading.ts'
import {
  type Explanation,
  explainField as explain,
  type FieldSummary,
} from '../../../../src/manifest/schema/explanation.ts'

const providers = await loadOwnProviders()
const schemas = new Map([...providers].map(([type, { capabilities }]) => [type, capabilities]))
const explainField = (path: string): Explanation => explain(path, schemas)

describe('explaining a field', () => {
  test('no first sentence ends with "e.g."', () => {
    const summaries = (path: string): FieldSummary[] => {
      return explainField(path).children.flatMap(child => [child, ...summaries(`${path}.${child.name}`)])
    }
    const all = ['Facility', 'Supervisor', 'HostConfiguration'].flatMap(summaries)
    expect(all.length).toBeGreaterThan(80)
    expect(all.filter(({ description }) => /(e\.g|i\.e)\.$/.test(description))).toEqual([])
    expect(all.find(({ name }) => name === 'umask')?.description).toBe(
      'The file mode creation mask, octal and in quotes, e.g. "0022".',
    )
  })

  test('a map shows its purpose and its fields with their first sentence', () => {
    expect(explainField('spec.process.restart')).toEqual({
      path: 'Facility.spec.process.restart',
      type: 'map',
      required: false,
      description: 'What the supervisor does when the process ends by itself.',
      children: [
        {
          name: 'policy',
          type: 'always | on-failure | never',
          required: false,
          default: 'always',
          description: 'always; on-failure: only after a non-zero exit status or a signal; or never.',
        },
        {
          name: 'delay',
          type: 'text',
          required: false,
          default: '1s',
          description: expect.stringContaining('How long to wait'),
        },
      ],
    })
  })

  test.each([
    [
      'spec.state',
      { type: 'running | stopped | unmanaged', default: 'running', enum: ['running', 'stopped', 'unmanaged'] },
    ],
    ['spec.enabled', { type: 'true | false | unmanaged', default: 'true' }],
    ['spec.process.user', { default: "the supervisor's user" }],
    ['spec.process.command', { type: 'list of text', required: true }],
    ['spec.process.environment', { type: 'map of (text | map)' }],
    [
      'spec.process.environment.PORT',
      { type: 'text | map', children: [expect.objectContaining({ name: 'fromFile' })] },
    ],
    ['spec.process.environment.TOKEN.fromFile', { type: 'text', required: true }],
    ['spec.files[].path', { type: 'text', required: true }],
    ['spec.files.0.path', undefined],
    [
      'spec.files',
      { type: 'list of map', children: expect.arrayContaining([expect.objectContaining({ name: 'onChange' })]) },
    ],
    [
      'spec.config',
      { children: ['systemd', 's6', 'runit', 'daemontools', 'process'].map(name => expect.objectContaining({ name })) },
    ],
    [
      'spec.config.systemd',
      {
        description: expect.stringContaining('unit'),
        children: expect.arrayContaining([
          {
            name: 'timer',
            type: 'map',
            required: false,
            description: expect.stringContaining('Keys of [Timer]'),
          },
        ]),
      },
    ],
    ['spec.config.systemd.unit.Service.Nice', { type: expect.stringContaining('number') }],
    ['spec.config.systemd.dropIns.x.Service.Nice', { type: expect.stringContaining('number') }],
    ['spec.config.process.restart', { children: expect.arrayContaining([expect.objectContaining({ name: 'delay' })]) }],
    ['spec.config.process.restart.policy', { type: 'always | on-failure | never | null' }],
    ['spec.config.process.environment.TOKEN.fromFile', { type: 'text | null' }],
    ['spec.config.s6.notificationFd', { type: 'integer' }],
    ['spec.config.runit.control.t', { type: 'text' }],
    ['Supervisor.spec.systemd.scope', { enum: ['system', 'user'] }],
    [
      'Supervisor.spec',
      { children: expect.arrayContaining([expect.objectContaining({ name: 'runit', type: 'map' })]) },
    ],
    ['metadata.name', { required: true, path: 'Facility.metadata.name' }],
    ['kind', { type: 'Facility', enum: ['Facility'] }],
    ['Supervisor.spec.type', { path: 'Supervisor.spec.type', required: true }],
    ['hostconfiguration.resync', { path: 'HostConfiguration.resync', default: '5m' }],
    ['HostConfiguration.policy.commands', { type: 'list of text' }],
    ['', { path: 'Facility', type: 'map' }],
  ])('%s', (path, expected) => {
    if (expected === undefined) expect(() => explainField(path)).toThrow(ReeveError)
    else expect(explainField(path)).toMatchObject(expected)
  })

  test.each([
    ['spec.proces.command', 'Facility.spec has no field "proces"; did you mean "process"?'],
    ['spec.process.restart.max', 'Facility.spec.process.restart has no field "max": it has policy and delay'],
    ['spec.config.sytemd', 'Facility.spec.config has no field "sytemd"; did you mean "systemd"?'],
    ['spec.config.systemd.timr', 'Facility.spec.config.systemd has no field "timr"; did you mean "timer"?'],
    ['Supervisor.spec.runit.owners', 'Supervisor.spec.runit has no field "owners"; did you mean "owner"?'],
    ['spec.state.x', 'Facility.spec.state has no field "x": it has no fields'],
  ])('%s: not found', (path, message) => {
    expect(() => explainField(path)).toThrow(expect.objectContaining({ code: 'not-found', message }))
  })
})

test.each(['constructor', 'toString', 'spec.__proto__', 'Supervisor.valueOf', 'spec.process.hasOwnProperty'])(
  'S12: field %s does not exist',
  path => {
    expect(() => explainField(path)).toThrow(expect.objectContaining({ code: 'not-found' }))
  },
)

test('schemas of outside providers are followed through references, including recursive ones', () => {
  const configSchema = {
    description: 'Ours.',
    $ref: '#/$defs/rule',
    $defs: {
      rule: {
        type: 'object',
        description: 'A rule.',
        allOf: [{ required: ['name'], properties: { name: { type: 'string', description: 'Its name.' } } }],
        oneOf: [{ properties: { allow: { type: 'boolean' } } }, { properties: { parts: { $ref: '#/$defs/rules' } } }],
      },
      rules: { type: 'array', items: { $ref: '#/$defs/rule' } },
    },
  }
  const of = (path: string): Explanation => explain(path, new Map([['acl', { configSchema }]]))
  expect(of('spec.config.acl')).toEqual({
    path: 'Facility.spec.config.acl',
    type: 'map',
    required: false,
    description: 'Ours.',
    children: [
      { name: 'name', type: 'text', required: true, description: 'Its name.' },
      { name: 'allow', type: 'true | false', required: false, description: '' },
      { name: 'parts', type: 'list of map', required: false, description: '' },
    ],
  })
  expect(of('spec.config.acl.parts')).toMatchObject({ type: 'list of map' })
  expect(() => of('spec.config.acl.parts.x')).toThrow('has no field "x"')
})
