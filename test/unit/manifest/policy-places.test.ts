import { rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Policy } from '../../../src/core/model/host-configuration.ts'
import { createManifestSource, loadManifests } from '../../../src/manifest/manifest-source.ts'
import { facilityText, makeDirectory, supervisorText } from '../../tools/manifest-directory.ts'

const run = (command: string, more = '') => `process: { command: [${command}]${more} }`

function load(spec: string, policy: Policy, more: Readonly<Record<string, string>> = {}) {
  const directory = makeDirectory({ 'web.yaml': facilityText('web', spec), ...more })
  const types = ['process', 'systemd']
  return loadManifests({ directory, types, policy, runsAsRoot: true, insecurePermissions: true })
}

const codesOf = (...given: Parameters<typeof load>) => load(...given).diagnostics.map(({ code }) => code)

describe('S11: paths are checked by where they lead:', () => {
  /** bin/X11 is bin itself, as on Debian; bin/tool and etc/out lead outside; lib is a link to bin. */
  function makeHost(): string {
    const host = makeDirectory({
      'bin/own': '',
      'local/bin/x': '',
      'bin/busybox': '',
      'etc/app/a': '',
      'secret/key': '',
    })
    symlinkSync('.', join(host, 'bin/X11'))
    symlinkSync('../local/bin/x', join(host, 'bin/tool'))
    symlinkSync('busybox', join(host, 'bin/ls'))
    symlinkSync('busybox', join(host, 'bin/sh'))
    symlinkSync('bin', join(host, 'lib'))
    symlinkSync('../secret', join(host, 'etc/out'))
    symlinkSync('loop', join(host, 'loop'))
    return host
  }

  test.each<[string, (host: string) => [policy: Policy, command: string], boolean]>([
    [
      'a link to the directory itself, then ..',
      h => [{ commands: [`${h}/bin`] }, `${h}/bin/X11/../local/bin/x`],
      false,
    ],
    ['a link to the directory itself', h => [{ commands: [`${h}/bin`] }, `${h}/bin/X11/own`], true],
    ['.. after a missing component', h => [{ commands: [`${h}/bin`] }, `${h}/nowhere/../bin/own`], false],
    ['.. and down again', h => [{ commands: [`${h}/bin`] }, `${h}/local/../bin/./own`], true],
    ['a link that leads outside', h => [{ commands: [`${h}/bin`] }, `${h}/bin/tool`], false],
    [
      'a link that leads outside, with an allowed target',
      h => [{ commands: [`${h}/bin`, `${h}/local/bin/x`] }, `${h}/bin/tool`],
      true,
    ],
    ['a directory by an alias', h => [{ commands: [`${h}/bin`] }, `${h}/lib/own`], true],
    ['a list with an alias', h => [{ commands: [`${h}/lib`] }, `${h}/bin/own`], true],
    ['one name of a multi-call program', h => [{ commands: [`${h}/bin/ls`] }, `${h}/bin/ls`], true],
    ['another name of it', h => [{ commands: [`${h}/bin/ls`] }, `${h}/bin/sh`], false],
    ['a program below a file', h => [{ commands: [`${h}/bin`] }, `${h}/bin/own/x`], false],
    ['a link to itself', h => [{ commands: [h] }, `${h}/loop`], false],
    ['a program that does not exist yet', h => [{ commands: [`${h}/bin`] }, `${h}/bin/later/x`], true],
    ['no absolute path', h => [{ commands: [h] }, '"../bin/own"'], false],
    [
      'a path through /proc/self, which differs for each process',
      h => [{ commands: [`${h}/bin`, '/'] }, `/proc/self/cwd${h}/bin/own`],
      false,
    ],
    ['a different case', h => [{ commands: [`${h}/bin`] }, `${h}/BIN/own`], false],
    ['two slashes', h => [{ commands: [`${h}/bin`] }, `/${h}//bin//own`], true],
  ])('a command: %s', (_, given, isAllowed) => {
    const [policy, command] = given(makeHost())
    expect(codesOf(run(command), policy)).toEqual(isAllowed ? [] : ['policy-command'])
  })

  test('the message names the target', () => {
    const host = makeHost()
    const [diagnostic] = load(run(`${host}/bin/tool`), { commands: [`${host}/bin`] }).diagnostics
    expect(diagnostic?.message).toBe(
      `facility web may not run ${host}/bin/tool, which is ${host}/local/bin/x: not allowed by policy.commands of the host configuration (it has ${host}/bin)`,
    )
  })

  test('a path through /proc/self is allowed if listed literally', () => {
    const output = run('/bin/true', ', output: { file: /dev/stdout }')
    expect(codesOf(output, { files: ['/dev'] })).toEqual(['policy-file'])
    expect(codesOf(output, { files: ['/dev/stdout'] })).toEqual([])
    expect(codesOf(output, { users: ['root'] })).toEqual([])
    const through = `${run('/bin/true')}, files: [{ path: /proc/self/root/etc/x, content: a }]`
    expect(codesOf(through, { users: ['root'] })).toEqual(['policy-file'])
    expect(codesOf(output, {})).toEqual([])
  })

  test('files, output and secrets are checked the same way', () => {
    const host = makeHost()
    const spec = `${run('/bin/true', `, output: { file: ${host}/etc/out/log }, environmentFiles: [${host}/etc/out/key], environment: { A: { fromFile: ${host}/etc/out/key } }`)},
      files: [{ path: ${host}/etc/out/key, content: a }, { path: ${host}/etc/app/a, content: a }]`
    const policy = { files: [`${host}/etc`], reads: [`${host}/etc`] }
    expect(codesOf(spec, policy).toSorted()).toEqual(['policy-file', 'policy-file', 'policy-read', 'policy-read'])
  })

  test('directories of supervisors are checked the same way', () => {
    const host = makeHost()
    const spec = `type: process, process: { directory: ${host}/etc/out/state }`
    const directory = makeDirectory({ 'app.yaml': supervisorText('app', spec) })
    const policy = { supervisorDirectories: [`${host}/etc`] }
    const { diagnostics } = loadManifests({ directory, types: ['process'], policy })
    expect(diagnostics).toMatchObject([{ code: 'policy-file' }])
  })

  test('a link that changes between two reads counts as it is now', () => {
    const host = makeHost()
    const directory = makeDirectory({ 'web.yaml': facilityText('web', run(`${host}/now/own`)) })
    const source = createManifestSource({ directory, types: ['process'], policy: { commands: [`${host}/bin`] } })
    symlinkSync('bin', join(host, 'now'))
    expect(source.read().diagnostics).toEqual([])
    rmSync(join(host, 'now'))
    symlinkSync('local/bin', join(host, 'now'))
    expect(source.read().diagnostics).toMatchObject([{ code: 'policy-command' }])
  })
})

describe('S11: services are restricted by name:', () => {
  test.each<[string, Policy, string, string[]]>([
    ['an existing service without a policy', {}, 'serviceName: ssh, state: stopped', []],
    [
      'an existing service that is not listed',
      { users: ['web'] },
      'serviceName: ssh, state: stopped',
      ['policy-service'],
    ],
    ['a facility of files only', { users: ['web'] }, 'files: [{ path: /a, content: a }]', ['policy-service']],
    ['a listed service', { users: ['web'], services: ['ssh'] }, 'serviceName: ssh', []],
    ['a service that matches a pattern', { services: ['web-*'] }, 'serviceName: web-1', []],
    [
      'a service that does not match the start of a pattern',
      { services: ['web-*'] },
      'serviceName: aweb-1',
      ['policy-service'],
    ],
    [
      'a service that does not match the end of a pattern',
      { services: ['*-web'] },
      'serviceName: a-webs',
      ['policy-service'],
    ],
    [
      'a service on which the ends of a pattern overlap',
      { services: ['ab*ba'] },
      'serviceName: aba',
      ['policy-service'],
    ],
    ['a template instance', { services: ['getty@*'] }, 'serviceName: getty@tty1', []],
    ['a different case', { services: ['ssh'] }, 'serviceName: SSH', ['policy-service']],
    ['a name with its suffix', { services: ['ssh'] }, 'serviceName: ssh.service', ['policy-service']],
    ['a dot matches only a dot', { services: ['a.b'] }, 'serviceName: axb', ['policy-service']],
    ['none', { services: [] }, 'state: running', ['policy-service']],
    ['a service defined by the manifest', { services: [] }, run('/a'), []],
    ['a service that the manifest adopts', { services: [] }, `${run('/a')}, adopt: true`, ['policy-service']],
    ['a listed service that the manifest adopts', { services: ['web'] }, `${run('/a')}, adopt: true`, []],
  ])('%s', (_, policy, spec, expected) => {
    expect(codesOf(spec, policy)).toEqual(expected)
  })
})

describe('S11: supervisors are restricted by type and place:', () => {
  const facility = (supervisor: string) => `supervisor: ${supervisor}, ${run('/a')}`

  test("a name given by the repository does not match the owner's list", () => {
    const app = { 'app.yaml': supervisorText('app', 'type: systemd') }
    expect(codesOf(facility('app'), { supervisors: ['process', 'app'] }, app)).toEqual(['policy-supervisor'])
    expect(load(facility('app'), { supervisors: ['process'] }, app).diagnostics[0]?.message).toContain(
      'use the supervisor app, which is of type systemd: not allowed by policy.supervisors',
    )
  })

  test('a supervisor of an allowed type is accepted in an allowed place', () => {
    const at = (directory: string) => ({
      'app.yaml': supervisorText('app', `type: process, process: { directory: ${directory} }`),
    })
    const policy = { supervisors: ['process'], supervisorDirectories: ['/srv/app'] }
    expect(codesOf(facility('app'), policy, at('/srv/app/own'))).toEqual([])
    expect(codesOf(facility('app'), policy, at('/srv/other'))).toContain('policy-file')
  })

  test.each(['constructor', 'toString', 'hasOwnProperty', 'valueOf'])('type %s does not exist', type => {
    const { diagnostics, supervisors } = load(run('/a'), {}, { 'app.yaml': supervisorText('app', `type: ${type}`) })
    expect(diagnostics).toMatchObject([{ code: 'unknown-supervisor-type' }])
    expect(supervisors).toEqual([])
    expect(codesOf(facility(type), {})).toEqual(['unknown-supervisor'])
    expect(codesOf(`config: { ${type}: { a: 1 } }`, {})).toEqual(['no-definition'])
  })
})

describe("S11: variables that decide what code runs need the owner's permission:", () => {
  const commands = ['/usr/bin/true']
  const set = (name: string) => run('/usr/bin/true', `, environment: { ${name}: x }`)

  test.each([
    'LD_PRELOAD',
    'LD_LIBRARY_PATH',
    'LD_AUDIT',
    'GCONV_PATH',
    'GLIBC_TUNABLES',
    'PATH',
    'HOME',
    'BASH_ENV',
    'ENV',
    'PS4',
    'SHELLOPTS',
    'NODE_OPTIONS',
    'NODE_PATH',
    'npm_config_node_options',
    'PYTHONPATH',
    'PYTHONSTARTUP',
    'PYTHONHOME',
    'PERL5OPT',
    'PERL5LIB',
    'PERL5DB',
    'RUBYOPT',
    'RUBYLIB',
    'JAVA_TOOL_OPTIONS',
    '_JAVA_OPTIONS',
    'JDK_JAVA_OPTIONS',
    'CLASSPATH',
    'GIT_SSH_COMMAND',
    'GIT_CONFIG_GLOBAL',
    'LESSOPEN',
    'PAGER',
    'MANPAGER',
    'EDITOR',
    'DOTNET_STARTUP_HOOKS',
    'PHPRC',
    'LUA_INIT',
    'LUA_INIT_5_4',
    'ERL_FLAGS',
    'OPENSSL_CONF',
    'XDG_CONFIG_HOME',
    'QT_PLUGIN_PATH',
    'TAR_OPTIONS',
  ])('%s needs it', name => {
    expect(codesOf(set(name), { commands })).toEqual(['policy-environment'])
    expect(codesOf(set(name), { environment: [] })).toEqual(['policy-environment'])
    expect(codesOf(set(name), { commands, environment: [name] })).toEqual([])
    expect(codesOf(set(name), { commands, environment: ['*'] })).toEqual([])
    expect(codesOf(set(name), { users: ['root'] })).toEqual([])
    const secret = run('/usr/bin/true', `, environment: { ${name}: { fromFile: /etc/x } }`)
    expect(codesOf(secret, { commands })).toEqual(['policy-environment'])
  })

  test.each([
    'PORT',
    'NODE_ENV',
    'TOKEN',
    'PYTHONUNBUFFERED',
    'DATABASE_URL',
    'TZ',
    'LANG',
    'MYSQL_PASSWORD',
    'APP_HOME',
  ])('%s does not need it', name => {
    expect(codesOf(set(name), { commands })).toEqual([])
  })

  test('the message gives the reason', () => {
    expect(load(set('LD_PRELOAD'), { commands }).diagnostics[0]).toMatchObject({
      line: 4,
      message:
        'facility web may not set LD_PRELOAD: not allowed by policy.environment of the host configuration (it is not given, and as policy.commands is, that allows none): the loader and the C library load code, or read their files, from where they say',
    })
  })

  test.each<[string, (host: string) => [policy: Policy, file: string], boolean]>([
    ["owned by the host's owner", h => [{ commands, files: [`${h}/web`] }, `${h}/own/env`], true],
    ['writable by the repository', h => [{ commands, files: [`${h}/own`] }, `${h}/own/env`], false],
    ['writable by the repository, which may write anywhere', h => [{ commands }, `${h}/own/env`], false],
    ['linked to where the repository may write', h => [{ commands, files: [`${h}/web`] }, `${h}/own/link`], false],
    ['in the repository itself', h => [{ commands, files: [`${h}/web`] }, './env'], false],
    [
      'in a directory of a supervisor',
      h => [{ commands, files: [], supervisorDirectories: [`${h}/own`] }, `${h}/own/env`],
      false,
    ],
    ['any, with permission', h => [{ commands, environment: ['*'] }, `${h}/own/env`], true],
    ['any, where only users are restricted', h => [{ users: ['root'] }, `${h}/own/env`], true],
  ])('an environment file: %s', (_, given, isAllowed) => {
    const host = makeDirectory({ 'own/env': 'LD_PRELOAD=/x\n', 'web/env': '' })
    symlinkSync('../web/env', join(host, 'own/link'))
    const [policy, file] = given(host)
    const spec = run('/usr/bin/true', `, environmentFiles: [${file}]`)
    expect(codesOf(spec, policy, { env: 'LD_PRELOAD=/x\n' })).toEqual(isAllowed ? [] : ['policy-environment'])
  })
})

describe('S11: a path that the repository can write satisfies no rule:', () => {
  const file = (path: string, more = '') => `${run('/usr/bin/true')}, files: [{ path: ${path}, content: a${more} }]`

  test.each<[string, Policy, string, string[]]>([
    [
      'a program where programs are allowed',
      { commands: ['/usr/bin'] },
      file('/usr/bin/mine', ', mode: "0755"'),
      ['policy-file'],
    ],
    [
      'a file that its owner may make executable',
      { commands: ['/usr/bin'], users: ['root', 'web'] },
      file('/usr/bin/mine', ', owner: web'),
      ['policy-file'],
    ],
    [
      'output there',
      { commands: ['/usr/bin'] },
      run('/usr/bin/true', ', output: { file: /usr/bin/log }'),
      ['policy-file'],
    ],
    ['a file there that is not executable', { commands: ['/usr/bin'] }, file('/usr/bin/mine.conf'), []],
    ['a program elsewhere', { commands: ['/usr/bin'] }, file('/opt/mine', ', mode: "0755"'), []],
    [
      'a definition of a supervisor',
      { users: ['root'], supervisorDirectories: ['/etc/sv'] },
      file('/etc/sv/x/run'),
      ['policy-file'],
    ],
    [
      'a supervisor definition, by a broad list',
      { files: ['/etc'], supervisorDirectories: ['/etc/sv'] },
      file('/etc/sv/x/run'),
      ['policy-file'],
    ],
    [
      'a supervisor definition, by a list that names it',
      { files: ['/etc/sv'], supervisorDirectories: ['/etc/sv'] },
      file('/etc/sv/x/run'),
      [],
    ],
  ])('%s', (_, policy, spec, expected) => {
    expect(codesOf(spec, policy)).toEqual(expected)
  })

  test("Reeve's own files, whatever the lists", () => {
    const directory = makeDirectory({ 'state/x': '', 'reeve.yaml': '' })
    const places = {
      own: [join(directory, 'state'), join(directory, 'reeve.yaml')],
      definitions: ['/etc/systemd/system'],
    }
    const problemsOf = (path: string, policy: Policy) => {
      const manifests = makeDirectory({ 'web.yaml': facilityText('web', file(path)) })
      return loadManifests({ directory: manifests, types: ['process'], policy, places }).diagnostics.map(
        ({ message }) => message,
      )
    }
    symlinkSync('.', join(directory, 'again'))
    for (const path of ['reeve.yaml', 'state/record.json', 'again/reeve.yaml']) {
      expect(problemsOf(join(directory, path), { files: ['/'] })).toEqual([
        expect.stringContaining('Reeve itself reads or keeps it'),
      ])
      expect(problemsOf(join(directory, path), {})).toEqual([])
    }
    const unit = '/etc/systemd/system/ssh.service.d/x.conf'
    expect(problemsOf(unit, { users: ['root'] })).toEqual([
      expect.stringContaining('supervisors read their definitions there'),
    ])
  })
})

describe('S11: files are given only to allowed users and groups:', () => {
  const file = (more: string) => `${run('/a', ', user: web')}, files: [{ path: /etc/web/a, content: a, ${more} }]`

  test.each<[string, Policy, string, string[]]>([
    ['an allowed user', { users: ['web'] }, file('owner: web'), []],
    ['a user that is not allowed', { users: ['web'] }, file('owner: db'), ['policy-user']],
    ['a user by number', { users: ['web'] }, file('owner: "1001"'), ['policy-user']],
    ['root, who has access anyway', { users: ['web'] }, file('owner: root, group: root'), []],
    ['a group named like an allowed user', { users: ['web'] }, file('group: web'), []],
    ['another group', { users: ['web'] }, file('group: shadow'), ['policy-group']],
    ['a listed group', { users: ['web'], groups: ['ssl'] }, file('group: ssl'), []],
    ['a group without a list', { groups: [] }, file('group: web'), ['policy-group']],
  ])('%s', (_, policy, spec, expected) => {
    expect(codesOf(spec, policy)).toEqual(expected)
  })
})

// For manifests written by somebody who wants more than is allowed.
describe('S11: the policy applies however the manifest is written:', () => {
  const policy: Policy = { users: ['web'], services: [] }
  const expected = ['policy-service']

  test.each<[string, Readonly<Record<string, string>>]>([
    [
      'JSON',
      { 'a.json': '{"apiVersion":"reeve/v1","kind":"Facility","metadata":{"name":"a"},"spec":{"serviceName":"ssh"}}' },
    ],
    [
      'an alias',
      { 'a.yaml': 'apiVersion: reeve/v1\nkind: Facility\nmetadata: { name: &n ssh }\nspec: { serviceName: *n }\n' },
    ],
    [
      'escapes',
      { 'a.yaml': 'apiVersion: reeve/v1\nkind: Facility\nmetadata: { name: a }\nspec: { serviceName: "s\\x73h" }\n' },
    ],
    [
      'a program without a path',
      { 'a.yaml': 'apiVersion: reeve/v1\nkind: Facility\nmetadata: { name: ssh }\nspec: {}\n' },
    ],
  ])('%s', (_, files) => {
    const directory = makeDirectory(files)
    const { diagnostics } = loadManifests({
      directory,
      types: ['process'],
      policy,
      runsAsRoot: true,
      insecurePermissions: true,
    })
    expect(diagnostics.map(({ code }) => code)).toEqual(expected)
  })
})

describe('S11: files beside an output are restricted like the output itself:', () => {
  const output = (more = '') => run('/a', `, output: { file: /var/log/web.log${more} }`)

  function messagesOf(spec: string, files: readonly string[], besideOutput?: 'rotated' | 'directory'): string[] {
    const directory = makeDirectory({ 'web.yaml': facilityText('web', spec) })
    const { diagnostics } = loadManifests({
      directory,
      types: ['process'],
      policy: { files },
      runsAsRoot: true,
      insecurePermissions: true,
      schemaOf: () => ({ besideOutput }),
    })
    return diagnostics.map(({ message }) => message)
  }

  test.each<['rotated' | 'directory', string, string]>([
    ['rotated', '', '/var/log/web.log.1'],
    ['rotated', ', keep: 2', '/var/log/web.log.1'],
    ['directory', ', keep: 0', '/var/log/web.log.d'],
  ])('%s, %s', (beside, more, refused) => {
    expect(messagesOf(output(more), ['/var/log/web.log'], beside)).toEqual([
      `facility web may not write ${refused}: not allowed by policy.files of the host configuration (it has /var/log/web.log); supervisor process keeps output there too, beside /var/log/web.log`,
    ])
    expect(messagesOf(output(more), ['/var/log'], beside)).toEqual([])
    expect(messagesOf(output(more), ['/var/log/web.log'])).toEqual([])
  })

  test('each path that is written to has to be allowed, and no other', () => {
    const [file, others] = ['/var/log/web.log', ['.1', '.2', '.rotating'].map(end => `/var/log/web.log${end}`)]
    expect(messagesOf(output(', keep: 2'), [file, ...others], 'rotated')).toEqual([])
    expect(messagesOf(output(', keep: 3'), [file, ...others], 'rotated')).toHaveLength(1)
    expect(messagesOf(output(', keep: 0'), [file], 'rotated')).toEqual([])
    expect(messagesOf(output(), [file, `${file}.d`], 'directory')).toEqual([])
  })

  test('a program in policy.commands is not overwritten by rotation', () => {
    const spec = run('/usr/bin/web', ', output: { file: /usr/bin/web.log, keep: 1 }')
    const directory = makeDirectory({ 'web.yaml': facilityText('web', spec) })
    const { diagnostics } = loadManifests({
      directory,
      types: ['process'],
      policy: { commands: ['/usr/bin/web', '/usr/bin/web.log.1'] },
      runsAsRoot: true,
      insecurePermissions: true,
      schemaOf: () => ({ besideOutput: 'rotated' }),
    })
    expect(diagnostics.map(({ code }) => code)).toEqual(['policy-file'])
  })
})
