import { describe, expect, test } from 'vitest'
import { findStartNeeds } from '../../../../../providers/systemd/observe/start-needs.ts'
import { splitWords } from '../../../../../providers/systemd/units/command-line.ts'
import { renderDefinition } from '../../../../../providers/systemd/units/definition.ts'
import { quoteCommand } from '../../../../../providers/systemd/units/quoting.ts'
import type { Facility, Process } from '../../../../../src/core/model/facility.ts'
import type { StartNeeds } from '../../../../../src/core/model/start-needs.ts'
import { createReadHost } from '../../../../../src/host/read-host.ts'
import { plainFacility, plainProcess } from '../../../../tools/plain-facility.ts'

const instance = {
  name: 'lab',
  type: 'systemd',
  options: { unitDirectory: '/nowhere/units' },
  stateDirectory: '/nowhere/state',
  owner: 'default',
}
const ownership = { owner: 'default', facility: 'reeve-web', files: [], dependsOn: [], prune: true }

/** `onDisk`: files of others on the host, by path. */
function needsOf(facility: Partial<Facility>, onDisk: Readonly<Record<string, string>> = {}): StartNeeds | undefined {
  const whole = plainFacility({ name: 'reeve-web', supervisor: 'lab', ...facility })
  const rendered = renderDefinition(whole, instance, ownership)
  if ('problems' in rendered) throw new Error(JSON.stringify(rendered.problems))
  const host = createReadHost()
  const names = Object.keys(onDisk)
  const has = (path: string): boolean => names.some(name => name === path || name.startsWith(`${path}/`))
  return findStartNeeds(whole, rendered.definition, instance, {
    ...host,
    facts: path => (has(path) ? host.facts('/etc/passwd') : host.facts(path)),
    realPath: path => (has(path) ? path : host.realPath(path)),
    readText: (path, limit) => onDisk[path] ?? host.readText(path, limit),
    readDirectory: path =>
      has(path)
        ? names.flatMap(name => (name.startsWith(`${path}/`) ? name.slice(path.length + 1) : []))
        : host.readDirectory(path),
  })
}

function ofText(lines: string): StartNeeds | undefined {
  return needsOf({ config: { text: `[Service]\n${lines}\n` } })
}

function ofProcess(process: Partial<Process>, Service: object = {}): StartNeeds | undefined {
  return needsOf({ process: { ...plainProcess, command: ['/opt/web'], ...process }, config: { unit: { Service } } })
}

describe('start needs of a unit', () => {
  test('include what its sections require', () => {
    expect(
      ofText(`ExecStart=/opt/web --flag
User=web
Group=www
SupplementaryGroups=ssl adm
WorkingDirectory=/srv/%N
EnvironmentFile=/etc/web.env
LoadCredential=token:/etc/token`),
    ).toMatchObject({
      program: '/opt/web',
      user: 'web',
      group: 'www',
      moreGroups: ['ssl', 'adm'],
      workingDirectory: '/srv/reeve-web',
      files: [{ path: '/etc/web.env' }, { path: '/etc/token' }],
    })
  })

  test('include the program behind the wrapper that brings secrets', () => {
    const environment = { TOKEN: { fromFile: '/etc/token' } }
    expect(ofProcess({ environment })).toMatchObject({
      program: '/opt/web',
      secrets: [{ variable: 'TOKEN', path: '/etc/token' }],
      files: [],
    })
  })

  test('include drop-ins of others', () => {
    const onDisk = {
      '/nowhere/units/reeve-web.service.d/edit.conf': '[Service]\nUser=other\nExecStart=\nExecStart=/opt/other\n',
    }
    expect(needsOf({ process: { ...plainProcess, command: ['/opt/web'], user: 'web' } }, onDisk)).toMatchObject({
      user: 'other',
      program: '/opt/other',
    })
  })

  test('of an addition include those of the packaged unit', () => {
    const onDisk = { '/nowhere/units/reeve-web.service': '[Service]\nExecStart=/opt/packaged\nUser=web\n' }
    const config = { dropIns: { more: { Service: { WorkingDirectory: ['/srv'] } } } }
    expect(needsOf({ config }, onDisk)).toMatchObject({
      program: '/opt/packaged',
      user: 'web',
      workingDirectory: '/srv',
    })
  })

  test.each([
    ['an ignored failure', 'ExecStart=-/opt/web', 'program'],
    ['a variable', 'ExecStart=$PROGRAM', 'program'],
    ['a specifier that only systemd can resolve', 'ExecStart=%h/web', 'program'],
    ['files that an earlier command may create', 'ExecStartPre=/usr/bin/make /opt/web\nExecStart=/opt/web', 'program'],
    ['a root directory of its own', 'ExecStart=/opt/web\nRootDirectory=/srv/root', 'program'],
    ['a mount of its own', 'ExecStart=/opt/web\nBindPaths=/srv/web:/opt', 'program'],
    [
      'a directory in a root of its own',
      'ExecStart=/opt/web\nWorkingDirectory=/srv\nRootImage=/srv/image',
      'workingDirectory',
    ],
    ['a directory for temporary files of its own', 'ExecStart=/tmp/web\nPrivateTmp=yes', 'program'],
    ['a home', 'ExecStart=/opt/web\nWorkingDirectory=~', 'workingDirectory'],
    ['an optional directory', 'ExecStart=/opt/web\nWorkingDirectory=-/srv/web', 'workingDirectory'],
    [
      'a directory that systemd creates',
      'ExecStart=/opt/web\nWorkingDirectory=/var/lib/web\nStateDirectory=web',
      'workingDirectory',
    ],
    ['a user that systemd creates', 'ExecStart=/opt/web\nUser=web\nDynamicUser=yes', 'user'],
  ])('leave out %s', (_, lines, left) => {
    expect(ofText(lines)).not.toHaveProperty(left)
  })

  describe('a shell in a root directory of its own', () => {
    const secret = { environment: { TOKEN: { fromFile: '/etc/token' } } }
    const shellIn = (Service: object, process: Partial<Process> = secret, onDisk = {}): unknown =>
      needsOf(
        { process: { ...plainProcess, command: ['/opt/web'], ...process }, config: { unit: { Service } } },
        onDisk,
      )?.files?.map(({ what, path }) => `${what} ${path}`)
    const RootDirectory = ['/nowhere/root']

    test('is needed by the wrapper', () => {
      expect(shellIn({ RootDirectory })).toEqual(['shell /nowhere/root/bin/sh'])
      expect(shellIn({ RootDirectory, BindReadOnlyPaths: ['/usr/lib -/bin/sleep:/bin/sleep:norbind'] })).toHaveLength(1)
      expect(shellIn({ RootDirectory }, {})).toEqual([])
      expect(shellIn({})).toEqual([])
    })

    test.each([
      ['contains it', {}, '/nowhere/root/bin/sh'],
      ['contains it in the other place', {}, '/nowhere/root/usr/bin/sh'],
      ['gets it from the host', { BindReadOnlyPaths: ['/lib -/usr:/usr/:rbind'] }, ''],
      ['gets it from elsewhere', { BindPaths: ['/opt/tools:/bin'] }, ''],
      ['cannot be read', { RootImage: ['/srv/image'] }, ''],
      ['gets more of an image', { ExtensionImages: ['/srv/more'] }, ''],
    ])('is not reported for a root that %s', (_, keys, there) => {
      expect(shellIn({ RootDirectory, ...keys }, secret, there === '' ? {} : { [there]: '' })).toEqual([])
    })
  })

  test('is not reported for a mounted directory', () => {
    const text = '[Unit]\nRequiresMountsFor=/mnt/web\n[Service]\nExecStart=/opt/web\nWorkingDirectory=/mnt/web/data\n'
    expect(needsOf({ config: { text } })).not.toHaveProperty('workingDirectory')
  })

  test('an installed program is not created by an earlier command', () => {
    expect(ofText('ExecStartPre=/usr/bin/true\nExecStart=/usr/bin/web')).toHaveProperty('program', '/usr/bin/web')
  })

  test('optional files and patterns are not required', () => {
    expect(ofText('ExecStart=/opt/web\nEnvironmentFile=-/etc/a\nEnvironmentFile=/etc/*.env')?.files).toEqual([])
  })
})

test('words are split as they were quoted', () => {
  const words = ['/opt/web', 'a b', '"', "it's", '\\', 'tab\there', 'line\nend', '$HOME', 'ü', '']
  expect(splitWords(quoteCommand(words).slice(1))).toEqual(words)
  expect(splitWords(`/opt/web 'a "b"' x\\x20y`)).toEqual(['/opt/web', 'a "b"', 'x y'])
})
