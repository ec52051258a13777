import { describe, expect, test } from 'vitest'
import { isPlainVariable } from '../../providers/posix/environment-names.ts'
import { buildEnvironment, parseEnvironmentFile } from '../../providers/process/supervisor/environment.ts'
import type { Process } from '../../src/core/facility.ts'
import type { ReadHost } from '../../src/core/provider.ts'
import { createReadHost } from '../../src/host/read-host.ts'

const plain: Process = {
  command: ['/bin/x'],
  environment: {},
  environmentFiles: [],
  limits: {},
  restart: { policy: 'always', delay: 0 },
  stop: { signal: 'TERM', timeout: 0 },
}

function createHost(files: Readonly<Record<string, string>>): ReadHost {
  return {
    ...createReadHost(),
    readText: path => files[path],
    findUser: name => (name === 'web' ? { uid: 7, gid: 8, home: '/home/web', shell: '/bin/sh' } : undefined),
  }
}

describe('the environment of a service', () => {
  test('nothing is inherited; Node is found last', () => {
    expect(buildEnvironment(plain, createHost({}), '/opt/node/bin/node')).toEqual({
      variables: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/node/bin' },
      late: [],
    })
    expect(buildEnvironment(plain, createHost({}), '/usr/bin/node').variables.PATH).toMatch(/:\/bin$/)
  })

  test('the user, then files in order, then what is declared: later ones win', () => {
    const host = createHost({ '/a': 'A=1\nB=1\nC=1\nHOME=/x\n', '/b': 'B=2\nC=2\n', '/secret': 'three\n' })
    const process: Process = {
      ...plain,
      user: 'web',
      environmentFiles: ['/a', '/b'],
      environment: { C: { fromFile: '/secret' }, D: '' },
    }
    expect(buildEnvironment(process, host, '/usr/bin/node').variables).toMatchObject({
      A: '1',
      B: '2',
      C: 'three',
      D: '',
      HOME: '/x',
      USER: 'web',
      LOGNAME: 'web',
      SHELL: '/bin/sh',
    })
  })

  test('only the one newline at the end of a secret is left out', () => {
    const host = createHost({ '/s': ' a\nb\n\n', '/crlf': 'x\r\n' })
    const environment = { S: { fromFile: '/s' }, T: { fromFile: '/crlf' } }
    expect(buildEnvironment({ ...plain, environment }, host, '/n').variables).toMatchObject({ S: ' a\nb\n', T: 'x' })
  })

  test('a file that is missing is an error that names it', () => {
    const environment = { S: { fromFile: '/s' } }
    expect(() => buildEnvironment({ ...plain, environment }, createHost({}), '/n')).toThrow('variable S in /s')
    expect(() => buildEnvironment({ ...plain, environmentFiles: ['/e'] }, createHost({}), '/n')).toThrow('file /e')
  })

  test('what steers the loader or the shell never reaches the tools that run as root', () => {
    const environment = { LD_PRELOAD: '/x.so', IFS: 'x', OPTIND: 'abc', NODE_ENV: 'production', ENV: 'test' }
    const built = buildEnvironment({ ...plain, environment }, createHost({}), '/n')
    expect(built.late.map(([name]) => name)).toEqual(['LD_PRELOAD', 'IFS', 'OPTIND'])
    expect(built.variables).toMatchObject({ NODE_ENV: 'production', ENV: 'test' })
  })
})

test('which variables are plain', () => {
  for (const name of ['A', '_A1', 'PATH', 'ENV', 'LANG', 'PS', 'GROUP']) expect(isPlainVariable(name)).toBe(true)
  for (const name of ['LD_LIBRARY_PATH', 'PS4', '_', 'BASH_ENV', 'a.b', '1A', '', '__reeve']) {
    expect(isPlainVariable(name)).toBe(false)
  }
})

describe('environment files', () => {
  test('comments, empty lines, quotes and spaces', () => {
    const text = '# c\n; c\n\nA=1\n  B = 2\nC="three four"\nD=\'x\'\nE=a=b\nF=\nG="\nH=\'a"\n'
    expect(() => parseEnvironmentFile(text, '/e')).toThrow('line 5')
    expect(parseEnvironmentFile(text.replace('  B = 2', '  B=2  '), '/e')).toEqual({
      A: '1',
      B: '2',
      C: 'three four',
      D: 'x',
      E: 'a=b',
      F: '',
      G: '"',
      H: '\'a"',
    })
  })

  test('S4: a line that is none is named by its number, not by its content', () => {
    expect(() => parseEnvironmentFile('A=1\nhunter2\n', '/e')).toThrow(
      /^expected KEY=value in line 2 of \/e(?!.*hunter2)/,
    )
    expect(() => parseEnvironmentFile('a.b=hunter2\n', '/e')).toThrow(/^(?!.*hunter2)/)
  })
})
