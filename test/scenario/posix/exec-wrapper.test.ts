import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import {
  isWrapped,
  type VariableSource,
  variableFileLimit,
  wrapExecution,
  wrapperFailure,
} from '../../../providers/posix/exec-wrapper.ts'
import { parseEnvironmentFile } from '../../../src/core/model/environment-file.ts'
import { messageOf } from '../../../src/core/reeve-error.ts'
import { assertReported, openPropertyReport } from '../../runner/reported-property.ts'

const directory = mkdtempSync(join(tmpdir(), 'reeve-'))
afterAll(() => rmSync(directory, { recursive: true }))

const report = openPropertyReport('property-exec-wrapper', 'Properties of the exec wrapper, with the real shells')

/** As they run where they are /bin/sh: bash goes by the name that it is called by. */
const shells = ['/bin/dash', '/bin/bash', '/bin/busybox'].filter(existsSync)

/** Any value that a variable can have, with what shells live on more often than the rest. */
const value = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }).map(text => text.replaceAll('\0', '')),
  fc
    .array(fc.constantFrom(...'\'"\\$`!*?~#&;|<>(){}[]=%^ \n\t\r-a\u00e9\u{1f600}', '$(id)', '\n\n'), { maxLength: 12 })
    .map(all => all.join('')),
)

/** Names that shells or the loader give a meaning to, and others. */
const steering = [
  ...['IFS', 'PATH', 'PS1', 'PS4', 'LD_PRELOAD', 'LD_LIBRARY_PATH', 'BASH_ENV', 'ENV', 'CDPATH', 'HOME', 'PWD'],
  ...['OLDPWD', 'OPTARG', 'GLIBC_TUNABLES', 'MALLOC_CHECK_', 'BASH_XTRACEFD', 'POSIXLY_CORRECT', 'LC_ALL', 'MAIL'],
]
/** Names that some shells keep for themselves: they arrive as they are, or the service is not started. */
const kept = [
  ...['_', 'OPTIND', 'PPID', 'UID', 'EUID', 'SHELLOPTS', 'BASHOPTS', 'BASHPID', 'BASH_VERSION', 'LINENO', 'RANDOM'],
  ...[
    'SECONDS',
    'GROUPS',
    'DIRSTACK',
    'FUNCNAME',
    'SHLVL',
    'EPOCHSECONDS',
    'HISTCMD',
    'PIPESTATUS',
    'BASH_LINENO',
    'BASH_SOURCE',
    'BASH_ARGV',
    'BASH_REMATCH',
    'BASH_ALIASES',
    'MAPFILE',
    'COMP_WORDS',
  ],
]
const name = fc.oneof(
  fc.constantFrom(...steering),
  fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_]{0,8}$/).filter(text => !kept.includes(text) && !text.startsWith('__reeve')),
)

interface Outcome {
  readonly status: number | null
  readonly stderr: string
  /** What the service found in its environment. */
  readonly found: ReadonlyMap<string, string>
}

/** Runs a service that shows its environment. */
function run(shell: string, variables: readonly VariableSource[], environment: Record<string, string>): Outcome {
  const [program, ...words] = wrapExecution({ variables })
  expect(program).toBe('/bin/sh')
  const args = shell.endsWith('busybox') ? ['sh', ...words] : words
  const result = spawnSync(shell, [...args, '/bin/cat', '/proc/self/environ'], {
    argv0: shell.endsWith('busybox') ? 'busybox' : 'sh',
    env: environment,
    encoding: 'utf8',
    cwd: '/',
  })
  const pairs = result.stdout.split('\0').filter(Boolean)
  const found = new Map(pairs.map(pair => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]))
  return { status: result.status, stderr: result.stderr, found }
}

/** By aliases, as values are handed over. */
function handOver(variables: readonly (readonly [string, string])[]): [VariableSource[], Record<string, string>] {
  const sources = variables.map((_pair, index) => ({ kind: 'variable' as const, alias: `__reeve_given_${index}` }))
  const environment = variables.map(([key, text], index) => [`__reeve_given_${index}`, `${key}=${text}`])
  return [sources, { PATH: '/usr/bin:/bin', PLAIN: 'plain', ...Object.fromEntries(environment) }]
}

for (const shell of shells) {
  describe(`the exec wrapper under ${shell}`, () => {
    /** What a shell adds: where it is, and bash that it was there. */
    const added = ['PWD', 'SHLVL', '_']

    test('S9: any variable reaches the service as it is, and nothing of the wrapper does', () => {
      assertReported(
        report,
        fc.property(fc.array(fc.tuple(name, value), { minLength: 1, maxLength: 8 }), variables => {
          const expected = new Map([['PATH', '/usr/bin:/bin'], ['PLAIN', 'plain'], ...variables])
          const { status, found } = run(shell, ...handOver(variables))
          expect(status).toBe(0)
          for (const [key, text] of expected) expect([key, found.get(key)]).toEqual([key, text])
          expect([...found.keys()].filter(key => !expected.has(key) && !added.includes(key))).toEqual([])
        }),
        { numRuns: 25 },
      )
    })

    test('a variable that the shell keeps for itself reaches the service as it is, or the service is not started', () => {
      for (const [index, key] of kept.entries()) {
        const text = ['', '7', 'a b'][index % 3] ?? ''
        const { status, stderr, found } = run(shell, ...handOver([[key, text]]))
        if (status === 0) expect([key, found.get(key)]).toEqual([key, text])
        else expect([status, stderr]).toEqual([wrapperFailure, expect.stringContaining(`set the variable ${key}\n`)])
      }
    })

    test('a secret is the content of its file, but for a newline at its end', () => {
      const path = join(directory, "it's a secret")
      assertReported(
        report,
        fc.property(value, fc.constantFrom('', '\n', '\r\n', '\n\n'), (text, end) => {
          fc.pre(!text.startsWith('\ufeff'))
          writeFileSync(path, `${text}${end}`)
          const { status, found } = run(shell, [{ kind: 'secret', name: 'LD_SECRET', path }], { PATH: '/nowhere' })
          expect(status).toBe(0)
          // As the supervisor has it.
          expect(found.get('LD_SECRET')).toBe(
            Buffer.from(`${text}${end}`)
              .toString()
              .replace(/\r?\n$/, ''),
          )
          expect(found.get('PATH')).toBe('/nowhere')
        }),
        { numRuns: 25 },
      )
    })

    test('an environment file says the same to the wrapper as to the supervisor', () => {
      const path = join(directory, 'env')
      const line = fc.oneof(
        fc.tuple(name, value).map(([key, text]) => `${key}=${text.replaceAll('\n', '')}`),
        fc
          .tuple(name, fc.constantFrom('"', "'", '"x"', "'a b'", '"a\'', ' x ', '"', '""', '# x'))
          .map(pair => pair.join('=')),
        fc.constantFrom(
          '',
          '#',
          '; x',
          '  # y',
          '\t',
          ' A=1 ',
          '\tB=2\r',
          'C = 3',
          'a.b=1',
          '1A=2',
          'nothing',
          '=x',
          '\\',
          'A==',
          '__reeve_end',
          '__reeve_x=1',
          'export A=1',
          'A="x\\"y"',
          'A=x\\',
          'A=$HOME',
          'É=1',
          'A=é€😀',
        ),
        fc
          .constantFrom(
            'A=\xff',
            'A=\0b',
            '\xfe\xffA=1',
            'A=\xe2\x82',
            'A=\xed\xa0\x80',
            'A=\xc0\xaf',
            '\x01A=1',
            'A=\x01',
          )
          .map(text => Buffer.from(text, 'latin1')),
      )
      assertReported(
        report,
        fc.property(
          fc.array(line, { maxLength: 8 }),
          fc.constantFrom('', '\n'),
          fc.constantFrom('', '\ufeff', '\ufeff\ufeff'),
          (lines, end, mark) => {
            const parts = lines.flatMap((line, index) => [Buffer.from(index === 0 ? '' : '\n'), Buffer.from(line)])
            const content = Buffer.concat([Buffer.from(mark), ...parts, Buffer.from(end)])
            writeFileSync(path, content)
            const { status, stderr, found } = run(shell, [{ kind: 'file', path }], { PATH: '/usr/bin' })
            let expected: Record<string, string>
            try {
              expected = parseEnvironmentFile(content, path)
            } catch (error) {
              expect(status).toBe(wrapperFailure)
              expect(stderr).toBe(`${messageOf(error)}\n`)
              return
            }
            expect(status).toBe(0)
            for (const [key, text] of Object.entries(expected)) expect([key, found.get(key)]).toEqual([key, text])
            const known = new Set(['PATH', ...Object.keys(expected), ...added])
            expect([...found.keys()].filter(key => !known.has(key))).toEqual([])
          },
        ),
        { numRuns: 120 },
      )
    })

    test('S12: a file is read up to its limit, and only if it is a regular one with text in it', () => {
      const path = join(directory, 'limit')
      const secret = { kind: 'secret', name: 'A', path } as const
      writeFileSync(path, 'x'.repeat(variableFileLimit + 1))
      expect(run(shell, [secret], {})).toMatchObject({
        status: wrapperFailure,
        stderr: expect.stringContaining('larger'),
      })
      expect(run(shell, [{ kind: 'file', path }], {})).toMatchObject({ status: wrapperFailure })
      writeFileSync(path, 'a\0b')
      expect(run(shell, [secret], {}).stderr).toContain('found a NUL byte')
      for (const other of ['/dev/zero', directory, join(directory, 'missing')]) {
        const { status, stderr } = run(shell, [{ ...secret, path: other }], {})
        expect([status, stderr]).toEqual([wrapperFailure, expect.stringContaining(`cannot read ${other} as user`)])
      }
    })

    test('later sources win, of whichever kind', () => {
      const env = join(directory, 'one')
      writeFileSync(env, 'A=file\nB=file\nC=file\n')
      const secret = join(directory, 'two')
      writeFileSync(secret, 'secret')
      const sources: VariableSource[] = [
        { kind: 'variable', alias: '__reeve_given_0' },
        { kind: 'file', path: env },
        { kind: 'variable', alias: '__reeve_given_1' },
        { kind: 'secret', name: 'C', path: secret },
      ]
      const { found } = run(shell, sources, { A: 'plain', __reeve_given_0: 'B=early', __reeve_given_1: 'A=late' })
      expect(Object.fromEntries([...found].filter(([key]) => !added.includes(key)))).toMatchObject({
        A: 'late',
        B: 'file',
        C: 'secret',
      })
    })
  })
}

test('its command line is known from that of a service', () => {
  const words = wrapExecution({ variables: [], workingDirectory: '/srv' })
  expect(isWrapped([...words, '/bin/true'])).toBe(true)
  expect(isWrapped(['/bin/sh', '-c', 'exec true'])).toBe(false)
  expect(wrapExecution({ variables: [] })).toEqual([])
})
