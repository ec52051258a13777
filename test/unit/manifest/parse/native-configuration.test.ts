import { describe, expect, test } from 'vitest'
import { facilityText, loadFiles, supervisorText } from '../../../tools/manifest-directory.ts'

describe("native configuration is checked by its provider's schema:", () => {
  const configSchema = {
    type: 'object',
    additionalProperties: false,
    properties: {
      run: { type: 'string' },
      logRun: { $ref: '#/$defs/script' },
      finish: { type: 'string', pattern: '^#!' },
    },
    $defs: { script: { type: 'string', minLength: 1 } },
  }
  const optionsSchema = {
    type: 'object',
    required: ['serviceDirectory'],
    properties: { serviceDirectory: { type: 'string' } },
  }
  const schemaOf = (type: string) => (type === 'runit' ? { configSchema, optionsSchema } : {})

  test('a valid one passes', () => {
    const files = {
      'web.yaml': facilityText('web', 'supervisor: runit, config: { runit: { run: a, logRun: b } }'),
      'app.yaml': supervisorText('app', 'type: runit, runit: { serviceDirectory: /srv }'),
      'plain.yaml': supervisorText('plain', 'type: process'),
    }
    expect(loadFiles(files, { schemaOf })).toMatchObject({ diagnostics: [], complete: true })
  })

  test.each([
    [
      'a field',
      facilityText('web', 'supervisor: runit, config: { runit: { runs: a } }'),
      '4:47 unknown-field unknown field "runs" in spec.config.runit; did you mean "run"?',
    ],
    [
      'a type',
      facilityText('web', 'supervisor: runit, config: { runit: { run: [a] } }'),
      '4:47 wrong-type spec.config.runit.run must be text, found a list',
    ],
    [
      'behind a $ref',
      facilityText('web', 'supervisor: runit, config: { runit: { logRun: 5 } }'),
      '4:55 wrong-type spec.config.runit.logRun must be text, found 5: put it in quotes, "5"',
    ],
    [
      'a type without native configuration',
      facilityText('web', 'config: { process: { a: 1 } }'),
      '4:19 unsupported-config spec.config.process: the provider process takes no native configuration',
    ],
    [
      'options',
      supervisorText('app', 'type: runit, runit: { serviceDirectory: [] }'),
      '4:31 wrong-type spec.runit.serviceDirectory must be text, found an empty list',
    ],
    [
      'a pattern without a title',
      facilityText('web', 'supervisor: runit, config: { runit: { finish: a } }'),
      '4:55 invalid-value spec.config.runit.finish must be text that matches ^#!, found the text "a"',
    ],
    [
      'required options',
      supervisorText('app', 'type: runit'),
      '4:1 missing-field spec.runit needs the field "serviceDirectory"',
    ],
    [
      'options of a type without options',
      supervisorText('app', 'type: process, process: { a: 1 }'),
      '4:24 unsupported-config spec.process: the provider process takes no options',
    ],
  ])('%s', (_, text, expected) => {
    const { diagnostics } = loadFiles({ 'a.yaml': text }, { schemaOf })
    expect(diagnostics.map(({ line, column, code, message }) => `${line}:${column} ${code} ${message}`)).toEqual([
      expected,
    ])
  })

  test.each(['a\\x2db', '-a', '_a', '.a', 'a+b~c', '...'])(
    'service name %s is valid if the supervisor accepts it',
    name => {
      const text = facilityText('web', `serviceName: '${name}'`)
      const { diagnostics, facilities } = loadFiles({ 'a.yaml': text })
      expect(diagnostics).toEqual([])
      expect(facilities[0]).toMatchObject({ name: 'web', service: name })
    },
  )

  test.each(['.', '..', 'a/b', 'a b', 'ä', 'a\u202eb', `${'n'.repeat(256)}`])('service name %s is invalid', name => {
    const text = facilityText('web', `serviceName: '${name}'`)
    const { diagnostics } = loadFiles({ 'a.yaml': text })
    expect(diagnostics).toMatchObject([{ code: 'invalid-value', message: expect.stringContaining('spec.serviceName') }])
  })

  describe('source', () => {
    const schemas = { configSchema: { properties: { source: {}, text: {} } }, configSource: 'text' }
    const load = (files: Readonly<Record<string, string>>, config: string) =>
      loadFiles(
        { ...files, 'a/web.yaml': facilityText('web', `config: { process: ${config} }`) },
        { schemaOf: () => schemas },
      )

    test('reads a file beside the manifest, which then counts as content', () => {
      const configOf = (text: string) =>
        load({ 'a/web.service': text }, '{ source: ./web.service, b: 1 }').facilities[0]
      expect(configOf('[Unit]\n')?.config).toEqual({ text: '[Unit]\n', b: 1 })
      expect(configOf('[Unit]\n')?.digest).not.toBe(configOf('[Service]\n')?.digest)
    })

    test.each([
      ['../web.service', '4:38 source-outside'],
      ['../../web.service', '4:38 source-outside'],
      ['/etc/hostname', '4:38 source-outside'],
      ['./none', '4:38 source-unreadable'],
      ['./latin', '4:38 not-utf8'],
    ])('%s: %s', (source, expected) => {
      const files = {
        'web.yaml': facilityText('web', `config: { process: { source: ${source} } }`),
        latin: Buffer.from('M\xe4rz', 'latin1'),
      }
      const { diagnostics } = loadFiles(files, { schemaOf: () => schemas })
      expect(diagnostics.map(({ line, column, code }) => `${line}:${column} ${code}`)).toEqual([expected])
    })

    test('is not allowed together with the text itself', () => {
      const { diagnostics } = load({ 'a/web.service': 'x' }, '{ source: ./web.service, text: y }')
      expect(diagnostics).toMatchObject([{ code: 'one-of', message: expect.stringContaining('"source" and "text"') }])
    })

    test('works in nested tables that the provider declares', () => {
      const places = { configSchema: {}, configSource: 'text', configSourceIn: ['timer', 'dropIns.*'] }
      const read = (config: string) =>
        loadFiles(
          { 'x.timer': 'T', 'y.conf': 'Y', 'web.yaml': facilityText('web', `config: { process: ${config} }`) },
          { schemaOf: () => places },
        )
      const { facilities, diagnostics } = read(
        '{ timer: { source: ./x.timer }, dropIns: { y: { source: ./y.conf } }, other: { source: ./none } }',
      )
      expect(diagnostics).toEqual([])
      expect(facilities[0]?.config).toEqual({
        timer: { text: 'T' },
        dropIns: { y: { text: 'Y' } },
        other: { source: './none' },
      })
      const told = read('{ timer: { source: ./none }, dropIns: { y: { source: ./y.conf, text: Z } } }').diagnostics
      expect(told.map(({ code, message }) => `${code} ${message}`)).toEqual([
        expect.stringMatching(/^source-unreadable .*\.\/none/),
        'one-of spec.config.process.dropIns.y has both "source" and "text": keep one of them',
      ])
    })

    test('has no meaning for a provider that does not support it', () => {
      const files = { 'web.yaml': facilityText('web', 'config: { process: { source: ./none } }') }
      const set = loadFiles(files, { schemaOf: () => ({ configSchema: {} }) })
      expect(set.diagnostics).toEqual([])
      expect(set.facilities[0]?.config).toEqual({ source: './none' })
    })
  })

  test('a provider with a broken schema is named', () => {
    const files = { 'web.yaml': facilityText('web', 'config: { process: { a: 1 } }') }
    const { diagnostics } = loadFiles(files, { schemaOf: () => ({ configSchema: { type: 'nonsense' } }) })
    expect(diagnostics).toMatchObject([{ code: 'provider-schema', message: expect.stringContaining('process') }])
  })

  test('without schemas, native configuration is not checked', () => {
    const files = { 'web.yaml': facilityText('web', 'config: { process: { a: 1 } }') }
    expect(loadFiles(files, { schemaOf: () => undefined }).diagnostics).toEqual([])
  })
})
