import { describe, expect, test } from 'vitest'
import { isPlainVariable } from '../../../../../providers/posix/environment-names.ts'
import { buildEnvironment } from '../../../../../providers/process/supervisor/environment.ts'
import type { ReadHost } from '../../../../../src/core/contracts/host.ts'
import { parseEnvironmentFile } from '../../../../../src/core/model/environment-file.ts'
import type { Process } from '../../../../../src/core/model/facility.ts'
import { ReeveError } from '../../../../../src/core/reeve-error.ts'
import { createReadHost } from '../../../../../src/host/read-host.ts'

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
    userId: () => 0,
    readProtectedFile(path) {
      if (path.startsWith('/home/')) throw new ReeveError('insecure', `others can change ${path}`)
      const content = files[path]
      return content === undefined ? undefined : Buffer.from(content)
    },
    findUser: name => (name === 'web' ? { uid: 7, gid: 8, home: '/home/web', shell: '/bin/sh' } : undefined),
  }
}

describe('the environment of a service', () => {
  test('inherits nothing, and finds Node last', () => {
    expect(buildEnvironment(plain, createHost({}), '/opt/node/bin/node', false)).toEqual({
      variables: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/node/bin' },
      sources: [],
    })
    expect(buildEnvironment(plain, createHost({}), '/usr/bin/node', false).variables.PATH).toMatch(/:\/bin$/)
  })

  test('takes the user, then files in order, then declared variables: later ones win', () => {
    const host = createHost({ '/a': 'A=1\nB=1\nC=1\nHOME=/x\n', '/b': 'B=2\nC=2\n', '/secret': 'three\n' })
    const process: Process = {
      ...plain,
      user: 'web',
      environmentFiles: ['/a', '/b'],
      environment: { C: { fromFile: '/secret' }, D: '' },
    }
    expect(buildEnvironment(process, host, '/usr/bin/node', true).variables).toMatchObject({
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

  test('drops only one final newline of a secret', () => {
    const host = createHost({ '/s': ' a\nb\n\n', '/crlf': 'x\r\n' })
    const environment = { S: { fromFile: '/s' }, T: { fromFile: '/crlf' } }
    expect(buildEnvironment({ ...plain, environment }, host, '/n', true).variables).toMatchObject({
      S: ' a\nb\n',
      T: 'x',
    })
  })

  test('fails on a missing file, which the error names', () => {
    const environment = { S: { fromFile: '/s' } }
    expect(() => buildEnvironment({ ...plain, environment }, createHost({}), '/n', true)).toThrow('variable S in /s')
    expect(() => buildEnvironment({ ...plain, environmentFiles: ['/e'] }, createHost({}), '/n', true)).toThrow(
      'file /e',
    )
  })

  test('fails on invalid text rather than changing it', () => {
    const environment = { S: { fromFile: '/s' } }
    for (const content of ['a\0b', '\xff']) {
      const host = { ...createHost({}), readProtectedFile: () => Buffer.from(content, 'latin1') }
      expect(() => buildEnvironment({ ...plain, environment }, host, '/n', true)).toThrow(/text in \/s/)
    }
  })

  test('S9: keeps what steers the loader or the shell under an alias until the wrapper takes it', () => {
    const environment = {
      LD_PRELOAD: { fromFile: '/s' },
      IFS: 'x',
      OPTIND: 'abc',
      NODE_ENV: 'production',
      ENV: 'test',
    }
    const { variables, sources } = buildEnvironment({ ...plain, environment }, createHost({ '/s': 'x.so' }), '/n', true)
    expect(sources).toEqual([0, 1, 2].map(number => ({ kind: 'variable', alias: `__reeve_given_${number}` })))
    expect(variables).toEqual({
      PATH: expect.any(String),
      NODE_ENV: 'production',
      ENV: 'test',
      __reeve_given_0: 'LD_PRELOAD=x.so',
      __reeve_given_1: 'IFS=x',
      __reeve_given_2: 'OPTIND=abc',
    })
  })

  test("S8: leaves files that others can change to the service's user, and puts overriding values after them", () => {
    const host = createHost({ '/a': 'A=1\nB=1\n', '/c': 'C=3\n' })
    const process: Process = {
      ...plain,
      user: 'web',
      environmentFiles: ['/a', '/home/web/env', '/c'],
      environment: { B: 'own', D: { fromFile: '/home/web/token' } },
    }
    const { variables, sources } = buildEnvironment(process, host, '/usr/bin/node', true)
    expect(sources).toEqual([
      { kind: 'file', path: '/home/web/env' },
      { kind: 'variable', alias: '__reeve_given_1' },
      { kind: 'variable', alias: '__reeve_given_2' },
      { kind: 'secret', name: 'D', path: '/home/web/token' },
    ])
    expect(variables).toMatchObject({ A: '1', __reeve_given_1: 'C=3', __reeve_given_2: 'B=own' })
    expect(Object.keys(variables)).not.toContain('B')
    expect(() => buildEnvironment(process, host, '/usr/bin/node', false)).toThrow('others can change /home/web/env')
  })
})

test('has these plain variables', () => {
  for (const name of ['A', '_A1', 'PATH', 'ENV', 'LANG', 'PS', 'GROUP']) expect(isPlainVariable(name)).toBe(true)
  for (const name of ['LD_LIBRARY_PATH', 'PS4', '_', 'BASH_ENV', 'a.b', '1A', '', '__reeve']) {
    expect(isPlainVariable(name)).toBe(false)
  }
})

describe('environment files', () => {
  test('have comments, empty lines, quotes and spaces', () => {
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

  test('S12: accept a name that JavaScript objects have', () => {
    const read = parseEnvironmentFile('__proto__=1\nconstructor=2\n', '/e')
    expect(Object.entries(read)).toEqual([
      ['__proto__', '1'],
      ['constructor', '2'],
    ])
  })

  test('S4: report an invalid line by its number, not its content', () => {
    expect(() => parseEnvironmentFile('A=1\nhunter2\n', '/e')).toThrow(
      /^expected KEY=value in line 2 of \/e(?!.*hunter2)/,
    )
    expect(() => parseEnvironmentFile('a.b=hunter2\n', '/e')).toThrow(/^(?!.*hunter2)/)
  })
})
