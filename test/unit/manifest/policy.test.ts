import { describe, expect, test } from 'vitest'
import { builtinProviders } from '../../../providers/registry.ts'
import type { Policy } from '../../../src/core/model/host-configuration.ts'
import { refusal } from '../../../src/core/policy/refusal.ts'
import type { SchemaNode } from '../../../src/manifest/schema/schema-node.ts'
import { makeFacility } from '../../simulation/declaration.ts'
import { facilityText, loadFiles, supervisorText } from '../../tools/manifest-directory.ts'

const run = (command: string, more = '') => `process: { command: [${command}]${more} }`

describe("S3: the host's policy restricts manifests:", () => {
  test.each<[string, Policy, string, string[]]>([
    ['no policy', {}, run('anything'), []],
    ['an allowed supervisor', { supervisors: ['process'] }, run('/a'), []],
    ['a supervisor that is not allowed', { supervisors: ['runit'] }, run('/a'), ['policy-supervisor']],
    ['an empty list of supervisors', { supervisors: [] }, run('/a'), ['policy-supervisor']],
    ['an allowed user', { users: ['web'] }, run('/a', ', user: web'), []],
    ['a user that is not allowed', { users: ['web'] }, run('/a', ', user: root'), ['policy-user']],
    ['root by number', { users: ['root'] }, run('/a', ', user: "0"'), ['policy-user']],
    ['root by default', { users: ['web'] }, run('/a'), ['policy-user']],
    ['root by default, where allowed', { users: ['root'] }, run('/a'), []],
    ['a group named like an allowed user', { users: ['web'] }, run('/a', ', user: web, group: web'), []],
    ['another group', { users: ['web'] }, run('/a', ', user: web, group: shadow'), ['policy-group']],
    ['a listed group', { users: ['web'], groups: ['ssl'] }, run('/a', ', user: web, group: ssl'), []],
    ['a group without a list', { groups: [] }, run('/a', ', user: web, group: web'), ['policy-group']],
    [
      'a health command without a process, which would run as root',
      { users: ['web'] },
      'health: { exec: { command: [/bin/true] } }',
      ['policy-service', 'policy-user'],
    ],
    [
      'a secret, where no file may be read',
      { reads: ['/etc/web'] },
      run('/a', ', environment: { T: { fromFile: /etc/shadow }, U: { fromFile: /etc/web/token } }'),
      ['policy-read'],
    ],
    [
      'environment files, where no file may be read',
      { reads: ['/etc/web'] },
      run('/a', ', environmentFiles: [/etc/web/env, /etc/web/../shadow]'),
      ['policy-read'],
    ],
    [
      'files of a check, where no file may be read',
      { reads: ['/etc/web'], services: ['web'] },
      'health: { http: { url: "https://h/", ca: /root/ca.pem, headers: { A: { fromFile: /etc/shadow }, B: { fromFile: /etc/web/b } } } }',
      ['policy-read', 'policy-read'],
    ],
    ['no process, hence no user', { users: [], services: ['web'] }, 'state: running', []],
    ['a command below a prefix', { commands: ['/usr/bin'] }, run('/usr/bin/node'), []],
    ['a command equal to a prefix', { commands: ['/usr/bin/node'] }, run('/usr/bin/node, a.js'), []],
    ['a prefix with a trailing slash', { commands: ['/usr/bin/'] }, run('/usr/bin/node'), []],
    ['everything', { commands: ['/'] }, run('/usr/bin/node'), []],
    [
      'a command whose directory starts with the same letters',
      { commands: ['/usr/bin'] },
      run('/usr/bin-evil/node'),
      ['policy-command'],
    ],
    ['a command that climbs out by ..', { commands: ['/usr/bin'] }, run('/usr/bin/../../tmp/x'), ['policy-command']],
    ['a command that climbs in by ..', { commands: ['/usr/bin'] }, run('/tmp/../usr/./bin//node'), []],
    ['a command searched in PATH', { commands: ['/usr/bin'] }, run('node'), ['policy-command']],
    ['a relative command', { commands: ['/usr/bin'] }, run('usr/bin/node'), ['policy-command']],
    ['no commands at all', { commands: [] }, run('/usr/bin/node'), ['policy-command']],
    [
      'a reload command',
      { commands: ['/usr/bin'] },
      run('/usr/bin/a', ', reload: { command: [/sbin-of-mine/sh] }'),
      ['policy-command'],
    ],
    [
      'a health command',
      { commands: ['/usr/bin'] },
      'health: { exec: { command: [/opt/check] } }',
      ['policy-command', 'policy-service'],
    ],
    ['a file below a prefix', { files: ['/etc/web'] }, `${run('/a')}, files: [{ path: /etc/web/a, content: a }]`, []],
    [
      'a file outside',
      { files: ['/etc/web'] },
      `${run('/a')}, files: [{ path: /etc/web/a, content: a }, { path: /etc/webs, content: a }]`,
      ['policy-file'],
    ],
    ['output below a prefix', { files: ['/var/log'] }, run('/a', ', output: { file: /var/log/a }'), []],
    ['output outside', { files: ['/var/log'] }, run('/a', ', output: { file: /etc/passwd }'), ['policy-file']],
    ['native configuration, with no restriction', { files: [] }, 'config: { process: {} }', []],
    ['native configuration that bypasses users', { users: ['web'] }, 'config: { process: {} }', ['policy-config']],
    ['native configuration that bypasses commands', { commands: ['/'] }, 'config: { process: {} }', ['policy-config']],
    ['allowed native configuration', { users: ['web'], config: ['process'] }, 'config: { process: {} }', []],
    [
      'native configuration of a type that is not allowed',
      { config: ['runit'] },
      'config: { process: {} }',
      ['policy-config'],
    ],
    [
      'all of them together',
      { supervisors: [], users: [], commands: [], files: [] },
      run('/a', ', output: { file: /a }'),
      ['policy-supervisor', 'policy-user', 'policy-command', 'policy-file'],
    ],
  ])('%s', (_, policy, spec, expected) => {
    const set = load(spec, policy)
    expect(set.diagnostics.map(({ code }) => code).toSorted()).toEqual(expected.toSorted())
    expect(set.facilities).toHaveLength(expected.length === 0 ? 1 : 0)
  })

  test('a Reeve that does not run as root gives nobody root by default', () => {
    expect(load(run('/a'), { users: ['web'] }, false).diagnostics).toEqual([])
  })

  test('every refusal points at the refused value and names the list', () => {
    const spec = `
  process: {
    command: [/opt/a], user: joe, group: wheel, output: { file: /o }, reload: { command: [/opt/b] },
    environment: { T: { fromFile: /t } }, environmentFiles: [/e] },
  health: { exec: { command: [/opt/c] } },
  files: [{ path: /f, content: a }],
  config: { process: {} }
`
    const none = { supervisors: [], users: [], groups: ['web'], commands: [], files: [], reads: [], config: [] }
    const said = load(spec, none).diagnostics.map(
      ({ line, column, message }) =>
        `${line}:${column} ${/may not (.*): not allowed by (policy\.\w+)/.exec(message)?.slice(1).join(' | ')}`,
    )
    expect(said).toMatchInlineSnapshot(`
      [
        "4:1 use the supervisor process | policy.supervisors",
        "6:15 run /opt/a | policy.commands",
        "6:30 run as joe | policy.users",
        "6:42 run with the group wheel | policy.groups",
        "6:65 write /o | policy.files",
        "6:91 run /opt/b | policy.commands",
        "7:35 read /t | policy.reads",
        "7:62 read /e | policy.reads",
        "8:31 run /opt/c | policy.commands",
        "9:19 write /f | policy.files",
        "10:13 have native configuration for process | policy.config",
      ]
    `)
    expect(load(run('/a'), { users: [] }).diagnostics[0]?.message).toContain('run as root')
  })

  /** Meaning of an absent key where other keys restrict it; undefined: an absent key allows everything. */
  const narrowed: Readonly<Record<keyof Policy, readonly [given: Policy, said: string] | undefined>> = {
    supervisors: undefined,
    services: [{ reads: ['/a'] }, 'as policy.reads is, that allows none'],
    users: undefined,
    groups: [{ users: ['web', 'joe'] }, 'as policy.users is, that allows only groups of the same names (web, joe)'],
    reads: undefined,
    commands: undefined,
    environment: [{ commands: ['/opt'] }, 'as policy.commands is, that allows none'],
    files: undefined,
    supervisorDirectories: [{ users: ['web'], groups: [] }, 'as policy.users, policy.groups are, that allows none'],
    config: [{ commands: ['/opt'], users: ['root'] }, 'as policy.users, policy.commands are, that allows none'],
  }
  const facility = makeFacility({ name: 'web' })

  test.each(Object.entries(narrowed))(
    'policy.%s is reported as empty only if it was written so',
    async (key, absent) => {
      const list = Object.keys(narrowed).find(name => name === key) as keyof Policy
      expect(refusal(facility, 'do it', list, { [list]: [] })).toMatch(/\(it is empty\)$/)
      expect(refusal(facility, 'do it', list, { [list]: ['a', 'b'] })).toMatch(/\(it has a, b\)$/)
      if (absent) expect(refusal(facility, 'do it', list, absent[0])).toContain(`(it is not given, and ${absent[1]})`)
      // Text of `reeve explain`.
      const schema = await import('../../../schemas/host-configuration.schema.json', { with: { type: 'json' } })
      const { policy } = schema.default.properties
      expect(/ or (?:all )?(?:none|those|only)/.test(policy.properties[list].description)).toBe(absent !== undefined)
    },
  )

  test('the diagnostic gives position, value and list', () => {
    const [diagnostic] = load(run('node'), { commands: ['/usr/bin', '/opt'] }).diagnostics
    expect(diagnostic).toMatchObject({ line: 4, column: 30, severity: 'error' })
    expect(diagnostic?.message).toBe(
      'facility web may not run node: not allowed by policy.commands of the host configuration (it has /usr/bin, /opt); give the program by its absolute path',
    )
  })
})

const capabilities = Object.entries(builtinProviders).map(async ([type, load]) => ({
  type,
  ...(await load()).capabilities,
}))
const withOptions = (await Promise.all(capabilities)).flatMap(({ type, optionsSchema }) =>
  optionsSchema === undefined ? [] : [[type, optionsSchema] as const],
)

describe("S3: the host's policy restricts the directories of supervisors:", () => {
  const runit = 'type: runit, runit: { serviceDirectory: /srv/app/service, definitionDirectory: /srv/app/sv }'

  test.each<[string, Policy, string, number]>([
    ['no policy', {}, runit, 0],
    ['a policy without writable paths', { supervisors: ['app'] }, runit, 2],
    ['a policy that restricts writable paths', { files: ['/srv'] }, runit, 2],
    ['no allowed path', { supervisorDirectories: [] }, runit, 2],
    ['directories below a prefix', { users: ['web'], supervisorDirectories: ['/srv/app/'] }, runit, 0],
    ['directories equal to a prefix', { supervisorDirectories: ['/srv/app/service', '/srv/app/sv'] }, runit, 0],
    ['one of two allowed', { supervisorDirectories: ['/srv/app/sv'] }, runit, 1],
    ['a directory that starts with the same letters', { supervisorDirectories: ['/srv/ap'] }, runit, 2],
    [
      'a directory that climbs out by ..',
      { supervisorDirectories: ['/srv'] },
      'type: process, process: { directory: /srv/../etc }',
      1,
    ],
    ['a directory deep in the options', { users: [] }, 'type: process, process: { a: [{ b: /etc }], c: etc }', 1],
    ['options that are no paths', { users: [] }, 'type: systemd, systemd: { scope: user }', 0],
    ['no options', { users: [] }, 'type: process', 0],
  ])('%s', (_, policy, spec, refused) => {
    const { diagnostics, supervisors } = loadSupervisor(spec, policy)
    expect(diagnostics.map(({ code }) => code)).toEqual(Array(refused).fill('policy-file'))
    expect(supervisors).toHaveLength(refused === 0 ? 1 : 0)
  })

  test.each(withOptions)('every directory of %s is checked, and has to be absolute', (type, optionsSchema) => {
    const { properties = {} }: SchemaNode = optionsSchema
    const names = Object.keys(properties).filter(name => name.endsWith('irectory'))
    expect(names).not.toEqual([])
    const problemsOf = (path: string, policy: Policy) => {
      const options = names.map(name => `${name}: ${path}`).join(', ')
      const files = { 'app.yaml': supervisorText('app', `type: ${type}, ${type}: { ${options} }`) }
      const schemaOf = () => ({ optionsSchema })
      return loadFiles(files, { types: [type], policy, schemaOf }).diagnostics.map(({ message }) => message)
    }
    expect(problemsOf('/srv', { supervisorDirectories: ['/srv'] })).toEqual([])
    expect(problemsOf('/srv', { users: ['web'] })).toEqual(
      names.map(() => expect.stringMatching(/^supervisor app may not/)),
    )
    expect(problemsOf('srv', {})).toEqual(
      names.map(name => `spec.${type}.${name} must be an absolute path, found the text "srv"`),
    )
  })

  test('the diagnostic points at the option and names the list', () => {
    const [diagnostic] = loadSupervisor('type: process, process: { directory: /tmp/evil }', {
      files: ['/etc/web'],
    }).diagnostics
    expect(diagnostic).toMatchObject({ line: 4, column: 46, severity: 'error' })
    expect(diagnostic?.message).toBe(
      'supervisor app may not use the directory /tmp/evil: not allowed by policy.supervisorDirectories of the host configuration (it is not given, and as policy.files is, that allows none)',
    )
  })
})

function loadSupervisor(spec: string, policy: Policy) {
  return loadFiles({ 'app.yaml': supervisorText('app', spec) }, { policy, runsAsRoot: true, insecurePermissions: true })
}

function load(spec: string, policy: Policy, runsAsRoot = true) {
  return loadFiles(
    { 'web.yaml': facilityText('web', spec) },
    { types: ['process'], policy, runsAsRoot, insecurePermissions: true },
  )
}
