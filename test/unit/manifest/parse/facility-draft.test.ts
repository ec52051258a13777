import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Facility } from '../../../../src/core/model/facility.ts'
import type { ManifestOptions } from '../../../../src/manifest/manifest-options.ts'
import { loadManifests } from '../../../../src/manifest/manifest-source.ts'
import { facilityText, makeDirectory, supervisorText, writeFiles } from '../../../tools/manifest-directory.ts'

const types = ['process', 'runit', 'systemd']

describe('a facility in normal form', () => {
  test('has defaults for absent fields', () => {
    const directory = makeDirectory({ 'web.yaml': facilityText('web') })
    const { process, digest, ...rest } = loadOnly({ directory })
    expect(rest).toEqual({
      name: 'web',
      labels: {},
      supervisor: 'process',
      service: 'web',
      state: 'running',
      enabled: true,
      files: [],
      onChange: 'restart',
      dependsOn: [],
      adopt: false,
      readyAfter: 1_000,
      prune: true,
      suspend: false,
      position: { file: join(directory, 'web.yaml'), line: 3, column: 19 },
    })
    expect(process).toEqual({
      command: ['/bin/true'],
      environment: {},
      environmentFiles: [],
      limits: {},
      restart: { policy: 'always', delay: 1000 },
      stop: { signal: 'TERM', timeout: 10_000 },
    })
    expect(digest).toMatch(/^[0-9a-f]{64}$/)
  })

  test('has converted durations, signals, modes, sizes and paths', () => {
    const directory = makeDirectory({
      'apps/files/app.toml': 'port = 8080\n',
      'apps/web.yaml': `apiVersion: reeve/v1
kind: Facility
metadata:
  name: web
  labels: { tier: front }
spec:
  supervisor: systemd
  serviceName: web@1
  state: stopped
  enabled: unmanaged
  process:
    command: [/usr/bin/node, server.js]
    workingDirectory: ../srv
    user: web
    group: www
    umask: "0027"
    environment:
      PORT: "8080"
      TOKEN: { fromFile: /etc/web/token }
      KEY: { fromFile: ./key }
    environmentFiles: [/etc/web/env, web.env]
    limits: { nofile: 65536, core: unlimited }
    restart: { policy: on-failure, delay: 500ms }
    stop: { signal: sigint, timeout: 2m }
    reload: { signal: HUP }
    output: { file: /var/log/web.log, maxSize: 2MiB, keep: 0 }
  config:
    systemd: { unit: { Service: { MemoryMax: 512M } } }
    runit: { run: "#!/bin/sh" }
  files:
    - { path: /etc/web/app.toml, source: ./files/app.toml, owner: root, group: web, mode: "0640", onChange: reload }
    - { path: /etc/web/motd, content: "grüezi\\n" }
  onChange: none
  health: { tcp: { port: 8080 }, interval: 1s, onFailure: restart }
  adopt: true
  readySeconds: 2.5
  prune: false
  suspend: true
`,
    })
    const { digest: _, position: __, ...facility } = loadOnly({ directory })
    const { files, ...rest } = facility
    const base = join(directory, 'apps')
    expect(rest).toEqual({
      name: 'web',
      labels: { tier: 'front' },
      supervisor: 'systemd',
      service: 'web@1',
      state: 'stopped',
      enabled: 'unmanaged',
      process: {
        command: ['/usr/bin/node', 'server.js'],
        workingDirectory: join(directory, 'srv'),
        user: 'web',
        group: 'www',
        umask: 0o027,
        environment: {
          PORT: '8080',
          TOKEN: { fromFile: '/etc/web/token' },
          KEY: { fromFile: join(base, 'key') },
        },
        environmentFiles: ['/etc/web/env', join(base, 'web.env')],
        limits: { nofile: 65536, core: 'unlimited' },
        restart: { policy: 'on-failure', delay: 500 },
        stop: { signal: 'INT', timeout: 120_000 },
        reload: { signal: 'HUP' },
        output: { file: '/var/log/web.log', maxSize: 2 * 1024 * 1024, keep: 0 },
      },
      config: { unit: { Service: { MemoryMax: '512M' } } },
      onChange: 'none',
      dependsOn: [],
      health: {
        check: { type: 'tcp', host: '127.0.0.1', port: 8080 },
        interval: 1000,
        timeout: 2000,
        failureThreshold: 3,
        startupTimeout: 60_000,
        onFailure: 'restart',
      },
      adopt: true,
      readyAfter: 2_500,
      prune: false,
      suspend: true,
    })
    expect(files.map(({ content, ...file }) => ({ ...file, text: new TextDecoder().decode(content) }))).toEqual([
      {
        path: '/etc/web/app.toml',
        owner: 'root',
        group: 'web',
        mode: 0o640,
        onChange: 'reload',
        text: 'port = 8080\n',
      },
      { path: '/etc/web/motd', mode: 0o644, onChange: 'restart', text: 'grüezi\n' },
    ])
  })

  test.each([
    ['http: { url: "http://127.0.0.1:8080/healthz" }', { type: 'http', url: 'http://127.0.0.1:8080/healthz' }],
    ['http: { url: "http://h/", status: 204 }', { type: 'http', url: 'http://h/', statuses: [{ from: 204, to: 204 }] }],
    [
      'http: { url: "http://h/", status: ["200-299", 401] }',
      {
        type: 'http',
        url: 'http://h/',
        statuses: [
          { from: 200, to: 299 },
          { from: 401, to: 401 },
        ],
      },
    ],
    [
      'http: { url: "https://h/", ca: /etc/ca.pem, headers: { A: "1", B: { fromFile: /etc/b } } }',
      { type: 'http', url: 'https://h/', ca: '/etc/ca.pem', headers: { A: '1', B: { fromFile: '/etc/b' } } },
    ],
    [
      'http: { url: "https://h/", insecureSkipVerify: true }',
      { type: 'http', url: 'https://h/', insecureSkipVerify: true },
    ],
    ['http: { url: "https://h/", insecureSkipVerify: false }', { type: 'http', url: 'https://h/' }],
    ['tcp: { host: "::1", port: 1 }', { type: 'tcp', host: '::1', port: 1 }],
    ['exec: { command: [/bin/true] }', { type: 'exec', command: ['/bin/true'] }],
  ])('health: %s', (check, expected) => {
    const directory = makeDirectory({ 'web.yaml': facilityText('web', `health: { ${check} }`) })
    expect(loadOnly({ directory }).health?.check).toEqual(expected)
  })

  test("has the configuration of its supervisor's type, whatever the name of the instance", () => {
    const spec = 'supervisor: app, config: { runit: { run: a }, systemd: { text: b } }'
    const directory = makeDirectory({
      'app.yaml': supervisorText('app', 'type: runit, runit: { serviceDirectory: /srv }'),
      'web.yaml': facilityText('web', spec),
    })
    const set = loadManifests({ directory, types })
    expect(set.diagnostics).toEqual([])
    expect(set.facilities[0]).toMatchObject({ supervisor: 'app', config: { run: 'a' } })
    expect(set.facilities[0]).not.toHaveProperty('process')
    expect(set.supervisors).toEqual([{ name: 'app', type: 'runit', options: { serviceDirectory: '/srv' } }])
  })

  test('ignores configuration for other types if there is a process', () => {
    const spec = 'process: { command: [/bin/true] }, config: { systemd: { text: b } }'
    expect(loadOnly({ directory: makeDirectory({ 'web.yaml': facilityText('web', spec) }) })).not.toHaveProperty(
      'config',
    )
  })

  test('uses defaultSupervisor if it names none', () => {
    const directory = makeDirectory({
      'web.yaml': facilityText('web'),
      'db.yaml': facilityText('db', 'supervisor: process'),
    })
    const set = loadManifests({ directory, types, defaultSupervisor: 'runit' })
    expect(set.facilities.map(facility => [facility.name, facility.supervisor])).toEqual([
      ['db', 'process'],
      ['web', 'runit'],
    ])
  })

  test('is the same from JSON and YAML', () => {
    const yaml = facilityText('web', 'process: { command: [/bin/true], limits: { nofile: 5 } }, enabled: false')
    const json = JSON.stringify({
      apiVersion: 'reeve/v1',
      kind: 'Facility',
      metadata: { name: 'web' },
      spec: { process: { command: ['/bin/true'], limits: { nofile: 5 } }, enabled: false },
    })
    const fromYaml = loadOnly({ directory: makeDirectory({ 'web.yaml': yaml }) })
    const fromJson = loadOnly({ directory: makeDirectory({ 'web.json': json }) })
    expect(fromJson.digest).toBe(fromYaml.digest)
  })

  test('is sorted by name, across documents and files', () => {
    const directory = makeDirectory({
      'z.yaml': facilityText('a'),
      'a.yaml': `${facilityText('c')}---\n${facilityText('b')}`,
      'sub/deep/x.yml': facilityText('d'),
    })
    expect(loadManifests({ directory, types }).facilities.map(({ name }) => name)).toEqual(['a', 'b', 'c', 'd'])
  })
})

describe('the digest', () => {
  const base = 'process: { command: [/bin/true], environment: { A: "1", B: "2" } }'

  test.each([
    ['a comment and another position', `# moved\n\n${facilityText('web', base)}`],
    ['the order of keys', facilityText('web', 'process: { environment: { B: "2", A: "1" }, command: [/bin/true] }')],
    ['an explicit default', facilityText('web', `${base}, state: running, serviceName: web`)],
  ])('stays the same with %s', (_, text) => {
    expect(digestOf(text)).toBe(digestOf(facilityText('web', base)))
  })

  test.each([
    ['an argument', 'process: { command: [/bin/true, a], environment: { A: "1", B: "2" } }'],
    ['a variable', 'process: { command: [/bin/true], environment: { A: "1", B: "3" } }'],
    ['a default that is changed', `${base}, state: stopped`],
    ['the supervisor', `${base}, supervisor: runit`],
    ['its configuration', `${base}, config: { process: { a: 1 } }`],
    ['a file', `${base}, files: [{ path: /etc/a, content: a }]`],
  ])('changes with %s', (_, spec) => {
    expect(digestOf(facilityText('web', spec))).not.toBe(digestOf(facilityText('web', base)))
  })

  test('changes with the content of a source, not with its path', () => {
    const directory = makeDirectory({
      'a.yaml': facilityText('web', 'files: [{ path: /etc/a, source: ./one }]'),
      one: 'same',
    })
    const before = loadOnly({ directory }).digest
    writeFiles(directory, { 'a.yaml': facilityText('web', 'files: [{ path: /etc/a, source: ./two }]'), two: 'same' })
    expect(loadOnly({ directory }).digest).toBe(before)
    writeFiles(directory, { two: 'other' })
    expect(loadOnly({ directory }).digest).not.toBe(before)
  })

  function digestOf(text: string): string {
    return loadOnly({ directory: makeDirectory({ 'web.yaml': text }) }).digest
  }
})

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
    const directory = makeDirectory({
      'web.yaml': facilityText('web', 'supervisor: runit, config: { runit: { run: a, logRun: b } }'),
      'app.yaml': supervisorText('app', 'type: runit, runit: { serviceDirectory: /srv }'),
      'plain.yaml': supervisorText('plain', 'type: process'),
    })
    expect(loadManifests({ directory, types, schemaOf })).toMatchObject({ diagnostics: [], complete: true })
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
    const { diagnostics } = loadManifests({ directory: makeDirectory({ 'a.yaml': text }), types, schemaOf })
    expect(diagnostics.map(({ line, column, code, message }) => `${line}:${column} ${code} ${message}`)).toEqual([
      expected,
    ])
  })

  test.each(['a\\x2db', '-a', '_a', '.a', 'a+b~c', '...'])(
    'service name %s is valid if the supervisor accepts it',
    name => {
      const text = facilityText('web', `serviceName: '${name}'`)
      const { diagnostics, facilities } = loadManifests({ directory: makeDirectory({ 'a.yaml': text }), types })
      expect(diagnostics).toEqual([])
      expect(facilities[0]).toMatchObject({ name: 'web', service: name })
    },
  )

  test.each(['.', '..', 'a/b', 'a b', 'ä', 'a\u202eb', `${'n'.repeat(256)}`])('service name %s is invalid', name => {
    const text = facilityText('web', `serviceName: '${name}'`)
    const { diagnostics } = loadManifests({ directory: makeDirectory({ 'a.yaml': text }), types })
    expect(diagnostics).toMatchObject([{ code: 'invalid-value', message: expect.stringContaining('spec.serviceName') }])
  })

  describe('source', () => {
    const schemas = { configSchema: { properties: { source: {}, text: {} } }, configSource: 'text' }
    const load = (files: Readonly<Record<string, string>>, config: string) =>
      loadManifests({
        directory: makeDirectory({ ...files, 'a/web.yaml': facilityText('web', `config: { process: ${config} }`) }),
        types,
        schemaOf: () => schemas,
      })

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
      const directory = makeDirectory({
        'a/web.yaml': facilityText('web', `config: { process: { source: ${source} } }`),
      })
      writeFileSync(join(directory, 'a/latin'), Buffer.from('M\xe4rz', 'latin1'))
      const { diagnostics } = loadManifests({ directory: join(directory, 'a'), types, schemaOf: () => schemas })
      expect(diagnostics.map(({ line, column, code }) => `${line}:${column} ${code}`)).toEqual([expected])
    })

    test('is not allowed together with the text itself', () => {
      const { diagnostics } = load({ 'a/web.service': 'x' }, '{ source: ./web.service, text: y }')
      expect(diagnostics).toMatchObject([{ code: 'one-of', message: expect.stringContaining('"source" and "text"') }])
    })

    test('works in nested tables that the provider declares', () => {
      const places = { configSchema: {}, configSource: 'text', configSourceIn: ['timer', 'dropIns.*'] }
      const read = (config: string) =>
        loadManifests({
          directory: makeDirectory({
            'a/x.timer': 'T',
            'a/y.conf': 'Y',
            'a/web.yaml': facilityText('web', `config: { process: ${config} }`),
          }),
          types,
          schemaOf: () => places,
        })
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
      const directory = makeDirectory({ 'web.yaml': facilityText('web', 'config: { process: { source: ./none } }') })
      const set = loadManifests({ directory, types, schemaOf: () => ({ configSchema: {} }) })
      expect(set.diagnostics).toEqual([])
      expect(set.facilities[0]?.config).toEqual({ source: './none' })
    })
  })

  test('a provider with a broken schema is named', () => {
    const directory = makeDirectory({ 'web.yaml': facilityText('web', 'config: { process: { a: 1 } }') })
    const { diagnostics } = loadManifests({
      directory,
      types,
      schemaOf: () => ({ configSchema: { type: 'nonsense' } }),
    })
    expect(diagnostics).toMatchObject([{ code: 'provider-schema', message: expect.stringContaining('process') }])
  })

  test('without schemas, native configuration is not checked', () => {
    const directory = makeDirectory({ 'web.yaml': facilityText('web', 'config: { process: { a: 1 } }') })
    expect(loadManifests({ directory, types, schemaOf: () => undefined }).diagnostics).toEqual([])
  })
})

function loadOnly(options: Pick<ManifestOptions, 'directory'>): Facility {
  const { diagnostics, facilities } = loadManifests({ types, ...options })
  expect(diagnostics).toEqual([])
  expect(facilities).toHaveLength(1)
  const [facility] = facilities
  if (facility === undefined) throw new Error('there is none')
  return facility
}
