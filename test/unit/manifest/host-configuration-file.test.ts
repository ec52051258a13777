import { chmodSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { ReeveError } from '../../../src/core/reeve-error.ts'
import { loadHostConfiguration } from '../../../src/manifest/host-configuration-file.ts'
import { localFiles } from '../../../src/manifest/read/manifest-files.ts'
import { makeDirectory } from '../../tools/manifest-directory.ts'

const header = 'apiVersion: reeve/v1\nkind: HostConfiguration\n'
const userId = process.geteuid?.() ?? 0

/** Roll-outs where the file says nothing of them. */
const rollout = {
  strategy: 'all',
  minHealthyTime: 10_000,
  healthyDeadline: 300_000,
  progressDeadline: 600_000,
  onFailure: 'rollback',
  allowHold: true,
  keepReachable: true,
}

test('without a file every setting has its default', () => {
  expect(loadHostConfiguration({ env: { HOME: '/nowhere' }, userId: 1000 })).toEqual({
    mode: 'reconcile',
    stateDirectory: '/nowhere/.local/state/reeve',
    runtimeDirectory: '/nowhere/.local/state/reeve',
    resync: 300_000,
    concurrency: 64,
    defaultSupervisor: 'process',
    removalLimit: { count: 2, fraction: 0.5 },
    policy: {},
    providers: [],
    owner: 'default',
    rollout,
  })
})

test('a file sets every setting, with paths relative to itself', () => {
  const { directory, read } = makeFile(`${header}manifests: ./manifests
mode: report
stateDirectory: state
runtimeDirectory: /run/reeve
resync: 1m
concurrency: 8
defaultSupervisor: systemd
removalLimit: { count: 5, fraction: 0.1 }
policy: { supervisors: [systemd], users: [web], commands: [/usr/bin], files: [/etc/web], config: [], supervisorDirectories: [/srv] }
providers: [./mine.js, ../theirs.js, /opt/its.js, reeve-provider-x, "@scope/provider"]
listen: 9100
owner: blue
`)
  expect(read()).toEqual({
    manifests: join(directory, 'manifests'),
    mode: 'report',
    stateDirectory: join(directory, 'state'),
    runtimeDirectory: '/run/reeve',
    rollout,
    resync: 60_000,
    concurrency: 8,
    defaultSupervisor: 'systemd',
    removalLimit: { count: 5, fraction: 0.1 },
    policy: {
      supervisors: ['systemd'],
      users: ['web'],
      commands: ['/usr/bin'],
      files: ['/etc/web'],
      config: [],
      supervisorDirectories: ['/srv'],
    },
    providers: [
      join(directory, 'mine.js'),
      join(directory, '../theirs.js'),
      '/opt/its.js',
      'reeve-provider-x',
      '@scope/provider',
    ],
    listen: { host: '127.0.0.1', port: 9100 },
    owner: 'blue',
  })
})

test('a partial group keeps the other defaults', () => {
  const { read } = makeFile(`${header}removalLimit: { count: 10 }\n`)
  expect(read()).toMatchObject({ removalLimit: { count: 10, fraction: 0.5 }, runtimeDirectory: read().stateDirectory })
})

test('S5: without a host the address is loopback', () => {
  const listen = (text: string) => makeFile(`${header}listen: ${text}\n`).read().listen
  expect(listen('"9100"')).toEqual({ host: '127.0.0.1', port: 9100 })
  expect(listen('":9100"')).toEqual({ host: '127.0.0.1', port: 9100 })
  expect(listen('0.0.0.0:9100')).toEqual({ host: '0.0.0.0', port: 9100 })
  expect(listen('"[::1]:9100"')).toEqual({ host: '::1', port: 9100 })
})

describe('the default path of the host configuration', () => {
  test.each([
    ['root', 0, { HOME: '/root', XDG_CONFIG_HOME: '/x' }, '/etc/reeve/reeve.yaml', '/var/lib/reeve'],
    ['a user', 1000, { HOME: '/home/a' }, '/home/a/.config/reeve/reeve.yaml', '/home/a/.local/state/reeve'],
    ['XDG', 1000, { HOME: '/home/a', XDG_CONFIG_HOME: '/c', XDG_STATE_HOME: '/s' }, '/c/reeve/reeve.yaml', '/s/reeve'],
    [
      'relative XDG',
      1000,
      { HOME: '/home/a', XDG_CONFIG_HOME: 'c', XDG_STATE_HOME: '' },
      '/home/a/.config/reeve/reeve.yaml',
      '/home/a/.local/state/reeve',
    ],
  ])('for %s', (_, uid, env, file, stateDirectory) => {
    const asked: string[] = []
    const files = {
      ...localFiles,
      realPath(path: string): string {
        asked.push(path)
        throw Object.assign(new Error('none'), { code: 'ENOENT' })
      },
    }
    const configuration = loadHostConfiguration({ env, userId: uid, files })
    expect(asked).toEqual([file])
    expect(configuration.stateDirectory).toBe(stateDirectory)
  })

  test('--state-dir overrides the file, for the socket too', () => {
    const { file } = makeFile(`${header}stateDirectory: /a\nruntimeDirectory: /b\n`)
    const configuration = loadHostConfiguration({ file, stateDir: '/c', env: {}, userId })
    expect(configuration).toMatchObject({ stateDirectory: '/c', runtimeDirectory: '/c' })
  })

  test('a named file must exist', () => {
    const error = failureOf(() => loadHostConfiguration({ file: '/nowhere/reeve.yaml', env: {}, userId }))
    expect(error).toMatchObject({ code: 'not-found', message: expect.stringContaining('/nowhere/reeve.yaml') })
  })
})

describe('an invalid file reports all its diagnostics:', () => {
  test('misspelt fields and wrong values, sorted', () => {
    const { file, read } = makeFile(`${header}resinc: 10s\nconcurrency: 0\npolicy: { user: [web] }\n`)
    const error = failureOf(read)
    expect(error.code).toBe('invalid')
    expect(error.position).toEqual({ file, line: 3, column: 1 })
    expect(error.message.replaceAll(file, 'reeve.yaml')).toMatchInlineSnapshot(`
      "the host configuration is not valid
      reeve.yaml:3:1  error  unknown-field  unknown field "resinc" in the document; did you mean "resync"?
        3 | resinc: 10s
          | ^

      reeve.yaml:4:14  error  invalid-value  concurrency must be at least 1, found 0
        4 | concurrency: 0
          |              ^

      reeve.yaml:5:11  error  unknown-field  unknown field "user" in policy; did you mean "users"?
        5 | policy: { user: [web] }
          |           ^"
    `)
  })

  test('problems that no schema expresses, along with the rest, and nothing twice', () => {
    const said = (text: string): string[] => {
      const lines = failureOf(makeFile(header + text).read).message.split('\n')
      return lines.flatMap(line => /error {2}\S+ {2}(.*)/.exec(line)?.[1] ?? [])
    }
    expect(said('owner: 7\nresync: 0s\nlisten: 0.0.0.0:99999\n')).toEqual([
      expect.stringMatching(/^owner must be /),
      'resync must be at least 1s, found 0s',
      'listen must name a port up to 65535',
    ])
    expect(said('resync: soon\nlisten: 70000\n')).toEqual([
      expect.stringMatching(/^resync must be a duration/),
      'listen must be at most 65535, found 70000',
    ])
    expect(said('resync: 30\nlisten: 0.0.0.0:123456\n')).toHaveLength(2)
  })

  test.each([
    ['a manifest', 'apiVersion: reeve/v1\nkind: Facility\n', 'kind must be HostConfiguration'],
    ['no apiVersion', 'kind: HostConfiguration\n', 'needs the field "apiVersion"'],
    ['two documents', `${header}---\n${header}`, 'expected one document'],
    ['nothing', '', 'expected one document'],
    ['text', 'hello\n', 'expected a map of settings'],
    ['broken YAML', 'a: [\n', 'yaml-syntax'],
    ['a short resync', `${header}resync: 10ms\n`, 'resync must be at least 1s'],
    ['an invalid port', `${header}listen: 127.0.0.1:70000\n`, 'up to 65535'],
    ['a relative prefix', `${header}policy: { commands: [bin] }\n`, 'policy.commands[0] must be an absolute path'],
  ])('%s', (_, text, expected) => {
    const error = failureOf(makeFile(text).read)
    expect(error).toMatchObject({ code: 'invalid', message: expect.stringContaining(expected) })
  })
})

test.runIf(userId === 0)('S1: root refuses a host configuration that others can write', () => {
  const { file, read } = makeFile(header)
  chmodSync(file, 0o666)
  expect(failureOf(read)).toMatchObject({ code: 'insecure', message: expect.stringContaining(`chmod go-w ${file}`) })
  expect(loadHostConfiguration({ file, env: {}, userId, insecurePermissions: true }).owner).toBe('default')
})

function makeFile(text: string) {
  const directory = makeDirectory({ 'reeve.yaml': text })
  const file = join(directory, 'reeve.yaml')
  return { directory, file, read: () => loadHostConfiguration({ file, env: {}, userId }) }
}

function failureOf(act: () => unknown): ReeveError {
  try {
    act()
  } catch (error) {
    if (error instanceof ReeveError) return error
    throw error
  }
  throw new Error('it did not fail')
}

describe('the source of the manifests', () => {
  const sourceOf = (text: string) => makeFile(`${header}source: ${text}\n`).read().source

  test('a Git repository gets its defaults', () => {
    expect(sourceOf('{ git: { url: https://example.org/hosts.git } }')).toEqual({
      type: 'git',
      url: { text: 'https://example.org/hosts.git', transport: 'https', host: 'example.org' },
      wish: { kind: 'default-branch' },
      path: '',
      interval: 60_000,
      access: {},
    })
  })

  test('files of auth and links are relative to the host configuration', () => {
    const { file, read } = makeFile(
      `${header}source: { git: { url: "git@example.org:hosts.git", tag: live, path: hosts/web, interval: 5m, auth: { sshKey: key, knownHosts: /etc/known } } }\n`,
    )
    expect(read().source).toMatchObject({
      wish: { kind: 'tag', name: 'live' },
      path: 'hosts/web',
      interval: 300_000,
      access: { sshKey: join(dirname(file), 'key'), knownHosts: '/etc/known' },
    })
    expect(makeFile(`${header}source: { link: /srv/current }\n`).read().source).toEqual({
      type: 'link',
      path: '/srv/current',
    })
    expect(makeFile(header).read().source).toBeUndefined()
  })

  test.each([
    [
      '{ git: { url: "https://a:b@example.org/x" } }',
      'a URL must not hold a password: put it into a file, and name that in auth',
    ],
    ['{ git: { url: "ext::sh" } }', expect.stringMatching(/^expected https:.*found ext::sh$/)],
    ['{ git: { url: /srv/x, branch: a, tag: b } }', 'expected one of branch, tag and semver, found branch and tag'],
    [
      '{ git: { url: /srv/x, path: a/../.. } }',
      "source.git.path must stay below the repository's top, without .., found a/../..",
    ],
    [
      '{ git: { url: /srv/x, branch: "-x" } }',
      expect.stringMatching(/^source.git.branch must be the name of a branch or tag/),
    ],
    ['{ git: { url: /srv/x, branch: "a..b" } }', expect.stringMatching(/^source.git.branch must be/)],
    ['{ git: { url: /srv/x, interval: 10ms } }', 'source.git.interval must be at least 1s, found 10ms'],
    ['{ git: { url: /srv/x }, link: /srv/y }', expect.stringMatching(/^source must have|source/)],
    ['{}', expect.stringMatching(/^source/)],
    [
      '{ git: { url: /srv/x } }\nmanifests: /srv/y',
      'source and manifests both say where the manifests are: leave one of them away',
    ],
  ])('%s is refused', (text, message) => {
    const lines = failureOf(makeFile(`${header}source: ${text}\n`).read).message.split('\n')
    expect(lines.flatMap(line => /error {2}\S+ {2}(.*)/.exec(line)?.[1] ?? [])).toEqual([message])
  })
})
