import { describe, expect, test } from 'vitest'
import type { Facility } from '../../../../src/core/model/facility.ts'
import { type FileContents, facilityText, loadFiles, supervisorText } from '../../../tools/manifest-directory.ts'

describe('a facility in normal form', () => {
  test('has defaults for absent fields', () => {
    const { process, digest, ...rest } = loadOnly({ 'web.yaml': facilityText('web') })
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
      position: { file: '/manifests-in-memory/web.yaml', line: 3, column: 19 },
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
    const {
      digest: _,
      position: __,
      files,
      ...rest
    } = loadOnly({
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
    expect(rest).toEqual({
      name: 'web',
      labels: { tier: 'front' },
      supervisor: 'systemd',
      service: 'web@1',
      state: 'stopped',
      enabled: 'unmanaged',
      process: {
        command: ['/usr/bin/node', 'server.js'],
        workingDirectory: '/manifests-in-memory/srv',
        user: 'web',
        group: 'www',
        umask: 0o027,
        environment: {
          PORT: '8080',
          TOKEN: { fromFile: '/etc/web/token' },
          KEY: { fromFile: '/manifests-in-memory/apps/key' },
        },
        environmentFiles: ['/etc/web/env', '/manifests-in-memory/apps/web.env'],
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
    expect(loadOnly({ 'web.yaml': facilityText('web', `health: { ${check} }`) }).health?.check).toEqual(expected)
  })

  test("has the configuration of its supervisor's type, whatever the name of the instance", () => {
    const spec = 'supervisor: app, config: { runit: { run: a }, systemd: { text: b } }'
    const set = loadFiles({
      'app.yaml': supervisorText('app', 'type: runit, runit: { serviceDirectory: /srv }'),
      'web.yaml': facilityText('web', spec),
    })
    expect(set.diagnostics).toEqual([])
    expect(set.facilities[0]).toMatchObject({ supervisor: 'app', config: { run: 'a' } })
    expect(set.facilities[0]).not.toHaveProperty('process')
    expect(set.supervisors).toEqual([{ name: 'app', type: 'runit', options: { serviceDirectory: '/srv' } }])
  })

  test('ignores configuration for other types if there is a process', () => {
    const spec = 'process: { command: [/bin/true] }, config: { systemd: { text: b } }'
    expect(loadOnly({ 'web.yaml': facilityText('web', spec) })).not.toHaveProperty('config')
  })

  test('uses defaultSupervisor if it names none', () => {
    const set = loadFiles(
      { 'web.yaml': facilityText('web'), 'db.yaml': facilityText('db', 'supervisor: process') },
      { defaultSupervisor: 'runit' },
    )
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
    expect(loadOnly({ 'web.json': json }).digest).toBe(loadOnly({ 'web.yaml': yaml }).digest)
  })

  test('is sorted by name, across documents and files', () => {
    const { facilities } = loadFiles({
      'z.yaml': facilityText('a'),
      'a.yaml': `${facilityText('c')}---\n${facilityText('b')}`,
      'sub/deep/x.yml': facilityText('d'),
    })
    expect(facilities.map(({ name }) => name)).toEqual(['a', 'b', 'c', 'd'])
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
    const digestWith = (source: string, content: string): string =>
      loadOnly({
        'a.yaml': facilityText('web', `files: [{ path: /etc/a, source: ./${source} }]`),
        [source]: content,
      }).digest
    expect(digestWith('two', 'same')).toBe(digestWith('one', 'same'))
    expect(digestWith('two', 'other')).not.toBe(digestWith('one', 'same'))
  })

  function digestOf(text: string): string {
    return loadOnly({ 'web.yaml': text }).digest
  }
})

function loadOnly(files: FileContents): Facility {
  const { diagnostics, facilities } = loadFiles(files)
  expect(diagnostics).toEqual([])
  expect(facilities).toHaveLength(1)
  const [facility] = facilities
  if (facility === undefined) throw new Error('there is none')
  return facility
}
