import { describe, expect, test } from 'vitest'
import { systemdProvider } from '../../../../../providers/systemd/index.ts'
import { readMarker } from '../../../../../providers/systemd/units/marker.ts'
import { readSections, writeSections } from '../../../../../providers/systemd/units/unit-file.ts'
import {
  expandSpecifiers,
  pathOfUnit,
  servicesOf,
  templateOf,
  unitOf,
  unitOfPath,
} from '../../../../../providers/systemd/units/unit-name.ts'
import type { Definition } from '../../../../../src/core/model/definition.ts'
import type { Process } from '../../../../../src/core/model/facility.ts'
import { plainFacility, plainProcess } from '../../../../tools/plain-facility.ts'

const process: Process = { ...plainProcess, command: ['/usr/bin/web', '--name', `it's "100%" $HOME`] }

interface Said {
  readonly process?: Process
  readonly config?: unknown
  readonly service?: string
  readonly paths?: readonly string[]
  readonly owner?: string
  readonly options?: Readonly<Record<string, unknown>>
  readonly servicePaths?: ReadonlySet<string>
}

function render(said: Said): ReturnType<typeof systemdProvider.render> {
  const { process, config, service = 'web', paths = [], owner = 'default', options = {}, servicePaths } = said
  const facility = plainFacility({
    name: 'web',
    supervisor: 'systemd',
    service,
    ...(process && { process }),
    ...(config !== undefined && { config }),
    files: paths.map(path => ({ path, content: new Uint8Array(), mode: 0o644, onChange: 'restart' })),
  })
  const instance = { name: 'systemd', type: 'systemd', options, stateDirectory: '/s', owner: 'default' }
  const ownership = { owner, facility: 'web', files: paths, dependsOn: [], prune: true }
  return systemdProvider.render(facility, instance, ownership, servicePaths)
}

function define(said: Said): Definition {
  const rendered = render(said)
  if ('problems' in rendered) throw new Error(JSON.stringify(rendered.problems))
  return rendered.definition
}

function problemsOf(said: Said): readonly string[] {
  const rendered = render(said)
  return 'problems' in rendered ? rendered.problems.map(({ field }) => field) : []
}

function service(said: Said): Readonly<Record<string, readonly string[]>> {
  return readSections(define(said).files[0]?.content ?? '').Service ?? {}
}

describe('a facility as a unit', () => {
  test('of the controller, which no manifest declares, says how to change it', () => {
    const [first] = define({ process, owner: 'default/controller', service: 'reeve' }).files
    expect(first?.content.split('\n')[0]).toBe(
      '# Written by reeve install, which puts back what is changed here. For changes of your own: systemctl edit reeve',
    )
    const user = define({ process, owner: 'default/controller', service: 'reeve', options: { scope: 'user' } })
    expect(user.files[0]?.content).toContain('systemctl --user edit reeve\n')
  })

  test('reads like a hand-written unit, and names its owner', () => {
    expect(define({ process }).files[0]?.content.replace(/[0-9a-f]{64}/, 'DIGEST')).toMatchInlineSnapshot(`
      "# Written by Reeve for facility web: what is changed here is put back. Change the manifest instead.
      [Unit]
      Description=web
      StartLimitIntervalSec=0

      [Service]
      Type=exec
      ExecStart=:"/usr/bin/web" "--name" "it's \\"100%%\\" $HOME"
      Restart=always
      RestartSec=1000ms
      KillSignal=SIGTERM
      TimeoutStopSec=10000ms

      [Install]
      WantedBy=multi-user.target

      [Service]
      Environment=REEVE_DEFINITION=DIGEST

      [X-Reeve]
      Marker={"owner":"default","facility":"web","files":[],"dependsOn":[],"prune":true}
      "
    `)
  })

  test('has a digest that changes with what the process depends on, and with nothing else', () => {
    const { digest } = define({ process })
    expect(define({ process, paths: ['/etc/web.conf'] }).digest).toBe(digest)
    expect(define({ process: { ...process, umask: 0o27 } }).digest).not.toBe(digest)
    expect(define({ process, config: { timer: { OnCalendar: 'daily' } } }).digest).not.toBe(digest)
  })

  test('is overlaid by native keys, which replace, add and remove', () => {
    const config = {
      unit: { Service: { Restart: 'no', ExecStartPre: ['/bin/a', '/bin/b'], KillSignal: null, NoNewPrivileges: true } },
    }
    expect(service({ process, config })).toMatchObject({
      Restart: ['no'],
      ExecStartPre: ['/bin/a', '/bin/b'],
      NoNewPrivileges: ['yes'],
    })
    expect(service({ process, config })).not.toHaveProperty('KillSignal')
  })

  test('S9: has variables that win over environment files, and none on a command line', () => {
    const { ExecStart, Environment, EnvironmentFile } = service({
      process: { ...process, environment: { A: 'b' }, environmentFiles: ['/etc/web/*.env'] },
    })
    expect(ExecStart?.[0]).toMatch(/^:"\/bin\/sh" "-c" "__reeve_.*" "sh" "\/usr\/bin\/web"/)
    expect(ExecStart?.[0]).not.toContain('A=b')
    expect(Environment).toEqual(['"REEVE_VARIABLE_1=A=b"', expect.stringMatching(/^REEVE_DEFINITION=/)])
    expect(EnvironmentFile).toBeUndefined()
  })

  test('leaves environment files to systemd only for commands without the wrapper', () => {
    const filesOf = (said: Parameters<typeof service>[0]) =>
      service({ ...said, process: { ...process, environmentFiles: ['/etc/web/*.env'], ...said.process } })
        .EnvironmentFile
    expect(filesOf({})).toBeUndefined()
    expect(filesOf({ process: { ...process, environmentFiles: ['/e'], reload: { signal: 'HUP' } } })).toBeUndefined()
    const lenient = ['-/etc/web/\\*.env']
    expect(filesOf({ config: { unit: { Service: { ExecStartPre: '/bin/migrate' } } } })).toEqual(lenient)
    expect(filesOf({ config: { dropIns: { own: '[Service]\nExecStopPost=/bin/tidy\n' } } })).toEqual(lenient)
    expect(filesOf({ process: { ...process, environmentFiles: ['/e'], reload: { command: ['/bin/x'] } } })).toEqual([
      '-/e',
    ])
    expect(filesOf({ config: { unit: { Service: { ExecStart: '/bin/other' } } } })).toEqual(['/etc/web/\\*.env'])
    expect(filesOf({ config: { unit: { Service: { EnvironmentFile: '/own' } } } })).toEqual(['/own'])
  })

  describe('S8: paths that root must not open', () => {
    const paths = { file: '/home/web/log', secret: '/home/web/token', early: '/etc/web.env', late: '/home/web/env' }
    const whole: Process = {
      ...process,
      user: 'web',
      environment: { TOKEN: { fromFile: paths.secret } },
      environmentFiles: [paths.early, paths.late],
      output: { file: paths.file, maxSize: 1, keep: 1 },
    }
    const servicePaths = new Set([paths.file, paths.secret, paths.late])
    const openedByRoot = /^(?:EnvironmentFile|LoadCredential|StandardOutput|StandardError)=(.*)$/gm

    test('are opened by the service’s user, which gets what root reads from the wrapper', () => {
      const [unit] = define({ process: whole, servicePaths }).files
      const found = [...(unit?.content ?? '').matchAll(openedByRoot)].map(([, value]) => value)
      expect(found).toEqual(['environment-1:/etc/web.env'])
    })

    test('are left to systemd, which refuses them, where the service is root’s', () => {
      for (const said of [
        { process: { ...whole, user: 'root' } },
        { process: whole, config: { unit: { Service: { User: '0' } } } },
        { process: whole, config: { unit: { Service: { User: null } } } },
      ]) {
        const [unit] = define({ ...said, servicePaths }).files
        const found = [...(unit?.content ?? '').matchAll(openedByRoot)].map(([, value]) => value)
        const output = `append:${paths.file}`
        const files = [`environment-1:${paths.early}`, `environment-2:${paths.late}`]
        expect(found).toEqual([...files, `TOKEN:${paths.secret}`, output, output])
      }
    })

    test('do not affect a service without a process', () => {
      expect(define({ process, servicePaths })).toEqual(define({ process }))
      const output = { file: '/dev/null', maxSize: 1, keep: 1 }
      const { ExecStart, StandardOutput } = service({ process: { ...process, output } })
      expect([ExecStart?.[0]?.startsWith(':"/usr/bin/web"'), StandardOutput]).toEqual([true, ['null']])
    })
  })

  test('a stop timeout of zero is not an infinite one', () => {
    expect(service({ process: { ...process, stop: { signal: 'TERM', timeout: 0 } } }).TimeoutStopSec).toEqual(['1ms'])
  })

  test('a facility without a unit of its own adds to that of somebody else', () => {
    const definition = define({ config: { dropIns: { a: { Service: { MemoryMax: '1G' } }, b: '[Service]\nNice=5' } } })
    expect(definition.isAddition).toBe(true)
    expect(definition.files.map(({ path }) => path)).toEqual([
      '/etc/systemd/system/web.service.d/a.conf',
      '/etc/systemd/system/web.service.d/b.conf',
    ])
    expect(define({ paths: ['/etc/web.conf'] }).files[0]?.path).toBe('/etc/systemd/system/web.service.d/reeve.conf')
  })

  const refused: readonly [string, Said, string][] = [
    ['a user with a line break', { process: { ...process, user: 'web\nRoot=/' } }, 'process.user'],
    [
      'a path that ends in a backslash',
      { process: { ...process, workingDirectory: '/srv\\' } },
      'process.workingDirectory',
    ],
    [
      'a control character in a variable',
      { process: { ...process, environment: { A: '\x07' } } },
      'process.environment.A',
    ],
    ['a name that has a suffix already', { process, service: 'web.service' }, 'serviceName'],
    ['a template', { process, service: 'web@' }, 'serviceName'],
    ['a timer of a template', { config: { timer: { OnCalendar: 'daily' } }, service: 'web@' }, 'serviceName'],
    [
      'a socket for what is no service',
      { config: { socket: { ListenStream: '80' } }, service: 'web.path' },
      'config.systemd',
    ],
    ['a timer without a word', { process, config: { timer: {} } }, 'config.systemd.timer'],
    ['a socket of spaces', { process, config: { socket: { text: ' \n' } } }, 'config.systemd.socket'],
    [
      'a socket with a process for each connection',
      { process, config: { socket: { ListenStream: '80', Accept: true } } },
      'config.systemd.socket',
    ],
    [
      'a text beside keys',
      { process, config: { timer: { text: '[Timer]\nOnCalendar=daily', OnCalendar: 'daily' } } },
      'config.systemd.timer',
    ],
    ['a unit that runs nothing', { config: { unit: { Service: { Nice: 5 } } } }, 'config.systemd.unit'],
    [
      'a unit and its text',
      { config: { text: '[Service]', unit: { Service: { ExecStart: '/x' } } } },
      'config.systemd.text',
    ],
  ]
  for (const [what, said, field] of refused) {
    test(`${what} is refused`, () => expect(problemsOf(said)).toContain(field))
  }
})

describe('unit files', () => {
  test('are parsed as systemd parses them', () => {
    const text =
      '# one\n[Service]\nExecStart=/bin/a \\\n; not this\n  b\nEnvironment=A=1\nEnvironment=\nEnvironment=B=2\n[Install]\nWantedBy = x.target'
    expect(readSections(text)).toEqual({
      Service: { ExecStart: ['/bin/a b'], Environment: ['B=2'] },
      Install: { WantedBy: ['x.target'] },
    })
  })

  test('are parsed the same after being written', () => {
    const sections = { Unit: { After: ['a', 'b'] }, Service: { ExecStart: [':"/bin/a" "%%"'] } }
    expect(readSections(writeSections(sections))).toEqual(sections)
  })
})

describe('unit names', () => {
  test('service names, bus objects and templates are accepted', () => {
    expect([unitOf('web'), unitOf('fstrim.timer'), unitOf('a.b')]).toEqual([
      'web.service',
      'fstrim.timer',
      'a.b.service',
    ])
    expect(servicesOf('web.timer')).toEqual(['web', 'web.timer'])
    expect([templateOf('a@b.service'), templateOf('a.service'), templateOf('a@.service')]).toEqual([
      'a@.service',
      undefined,
      undefined,
    ])
    const words = ['%n %N %p %i %j', '100%%i', '%I', '%H']
    expect(words.map(word => expandSpecifiers(word, 'a-b@c-d.service'))).toEqual([
      'a-b@c-d.service a-b@c-d a-b c-d b',
      '100%i',
      '%I',
      undefined,
    ])
    expect(expandSpecifiers('%p-%i', 'a-b.service')).toBe('a-b-')
    const path = '/org/freedesktop/systemd1/unit/a_40b_2eservice'
    expect([unitOfPath(path), pathOfUnit('a@b.service')]).toEqual(['a@b.service', path])
    expect(pathOfUnit('4z-9.service')).toBe('/org/freedesktop/systemd1/unit/_34z_2d9_2eservice')
  })
})

test('S11: a marker in native configuration claims nothing', () => {
  const forged = JSON.stringify({
    owner: 'default/controller',
    facility: 'other',
    files: ['/etc/passwd'],
    dependsOn: [],
    prune: true,
  })
  const text = `[X-Reeve]\nMarker=${forged}`
  const start = { Service: { ExecStart: '/bin/true' } }
  const configs: unknown[] = [
    { text: `[Service]\nExecStart=/bin/true\n${text}` },
    { text: `[Service]\nExecStart=/bin/true\n \t${text.replace(']', '] ')}\n[Service]\nA=b\\` },
    { unit: { ...start, 'X-Reeve': { Marker: forged } } },
    { unit: { Service: { ...start.Service, Type: `simple\n${text}` } } },
    { unit: start, timer: { OnCalendar: `daily\n${text}` } },
    { unit: start, timer: { text: `[Timer]\nOnCalendar=daily\n${text}` } },
    { unit: start, dropIns: { first: { text } } },
    { unit: start, socket: { ListenStream: `80\n${text}` } },
    { unit: start, dropIns: { first: text, second: { 'X-Reeve': { Marker: forged } } } },
    { dropIns: { first: text, second: `${text}\n[X-Reeve` } },
  ]
  for (const config of configs) {
    const rendered = render({ config, paths: ['/etc/web.conf'] })
    if ('problems' in rendered) throw new Error(JSON.stringify(rendered.problems))
    for (const { path, content } of rendered.definition.files) {
      expect(readMarker(content), path).toMatchObject({ owner: 'default', facility: 'web', files: ['/etc/web.conf'] })
    }
  }
})

test('no text of spec.process or of a path starts a line of its own', () => {
  const evil = 'x\nUser=root\r\n[X-Reeve]\nMarker={}'
  const own = { command: ['/bin/echo', evil], reload: { command: ['/bin/echo', evil] } }
  const rendered = render({ process: { ...process, ...own }, paths: [`/etc/${evil}`] })
  if ('problems' in rendered) throw new Error(JSON.stringify(rendered.problems))
  for (const { content } of rendered.definition.files) expect(content).not.toMatch(/^\s*(?:User=|Marker=\{\})/m)
  const refused = render({
    process: {
      ...process,
      workingDirectory: `/srv/${evil}`,
      environment: { A: evil, B: { fromFile: `/etc/${evil}` } },
      environmentFiles: [`/etc/${evil}`],
      output: { file: `/var/log/${evil}`, maxSize: 1, keep: 1 },
    },
  })
  const fields = 'problems' in refused ? refused.problems.map(({ field }) => field) : []
  expect(fields.sort()).toEqual(
    ['environment.A', 'environment.B', 'environmentFiles', 'output.file', 'workingDirectory'].map(
      field => `process.${field}`,
    ),
  )
})
