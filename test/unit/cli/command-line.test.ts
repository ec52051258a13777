import { describe, expect, test } from 'vitest'
import { errorText } from '../../../src/cli/error-text.ts'
import { plainColors } from '../../../src/cli/screen.ts'
import { ReeveError } from '../../../src/core/reeve-error.ts'
import { runCommandLine } from './io.ts'

/** What scripts rely on: names and flags stay. */
const commands = {
  validate: ['--output'],
  plan: ['--output', '--detailed-exitcode', '--out'],
  apply: ['--plan', '--allow-removals'],
  run: [],
  install: ['--supervisor', '--dry-run', '--adopt', '--allow-removals', '--output'],
  uninstall: ['--yes', '--manifests', '--output'],
  status: ['--output', '--watch', '--manifests'],
  start: ['--if-stopped', '--if-changed', '--suspend', '--manifests'],
  stop: ['--if-stopped', '--if-changed', '--suspend', '--manifests'],
  restart: ['--if-stopped', '--if-changed', '--suspend', '--manifests'],
  reload: ['--if-stopped', '--if-changed', '--suspend', '--manifests'],
  enable: ['--if-stopped', '--if-changed', '--suspend', '--manifests'],
  disable: ['--if-stopped', '--if-changed', '--suspend', '--manifests'],
  supervisors: ['--output'],
  explain: [],
  suspend: ['--manifests'],
  resume: ['--manifests'],
  history: ['--output', '--manifests'],
  down: ['--yes', '--manifests'],
  completion: [],
}
const globalFlags = ['--config', '--state-dir', '--log-level', '--no-color']

describe('help', () => {
  test('reeve --help names every command, the exit codes, and goes to stdout', async () => {
    const { exitCode, stdout, stderr } = await runCommandLine(['--help'])
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' })
    for (const name of Object.keys(commands)) expect(stdout).toMatch(new RegExp(`^  ${name} `, 'm'))
    expect(stdout).toContain('Exit codes:\n  0  done')
  })

  test.each(Object.entries(commands))(
    'reeve help %s shows its flags, those of every command, and examples',
    async (name, flags) => {
      const { exitCode, stdout } = await runCommandLine(['help', name])
      expect(exitCode).toBe(0)
      for (const flag of [...flags, ...globalFlags]) expect(stdout).toContain(flag)
      expect(stdout).toContain(`Examples:\n  `)
      expect((await runCommandLine([name, '--help'])).stdout).toBe(stdout)
    },
  )

  test('without a command, help is on stderr and the exit code 1', async () => {
    const { exitCode, stdout, stderr } = await runCommandLine([])
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' })
    expect(stderr).toContain('Usage: reeve')
  })

  test('--version is the version alone', async () => {
    expect(await runCommandLine(['--version'])).toEqual({
      exitCode: 0,
      stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
      stderr: '',
    })
  })
})

describe('usage errors exit with 1 and say on stderr what was meant', () => {
  test.each([
    [['plam'], 'Did you mean plan?'],
    [['help', 'plam'], 'Did you mean plan?'],
    [['plan', '--detailed-exitcod'], 'Did you mean --detailed-exitcode?'],
    [['plan', '-o', 'yaml'], 'Allowed choices are text, json'],
    [['apply', '--allow-removals', 'many'], 'Expected a whole number'],
    [['start'], "missing required argument 'NAME'"],
    [['completion', 'tcsh'], 'Allowed choices are bash, zsh, fish'],
    [['explain', 'spec.proces'], 'did you mean "process"?'],
    [['status', '--log-level', 'loud'], 'Allowed choices are debug'],
  ])('reeve %j', async (argv, message) => {
    const { exitCode, stdout, stderr } = await runCommandLine(argv)
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' })
    expect(stderr).toContain(message)
    expect(stderr).toMatch(/^reeve: /)
  })
})

describe('colour', () => {
  const isColored = (text: string) => text.includes('\x1b[')

  test.each([
    ['a terminal', [], {}, true, true],
    ['a pipe', [], {}, false, false],
    ['NO_COLOR', [], { NO_COLOR: '1' }, true, false],
    ['an empty NO_COLOR', [], { NO_COLOR: '' }, true, true],
    ['NO_COLOR before FORCE_COLOR', [], { NO_COLOR: '1', FORCE_COLOR: '1' }, true, false],
    ['FORCE_COLOR', [], { FORCE_COLOR: '1' }, false, true],
    ['FORCE_COLOR=0', [], { FORCE_COLOR: '0' }, true, false],
    ['--no-color', ['--no-color'], { FORCE_COLOR: '1' }, true, false],
    ['TERM=dumb', [], { TERM: 'dumb' }, true, false],
  ] as const)('%s', async (_name, flags, env, terminal, wanted) => {
    const { stdout } = await runCommandLine(['explain', 'spec', ...flags], { env, terminal })
    expect(isColored(stdout)).toBe(wanted)
    const { stderr } = await runCommandLine(['plam', ...flags], { env, terminal })
    expect(isColored(stderr)).toBe(wanted)
  })
})

describe('errors', () => {
  test('an expected one is one line, with its position', () => {
    const position = { file: 'web.yaml', line: 3, column: 5 }
    const error = new ReeveError('invalid', 'expected a list', { position })
    expect(errorText(error, { colors: plainColors, debug: false })).toBe('reeve: web.yaml:3:5: expected a list\n')
  })

  test('with --log-level debug its stack and causes follow', () => {
    const error = new ReeveError('failed', 'it failed', { cause: new Error('the disk is full') })
    expect(errorText(error, { colors: plainColors, debug: true })).toMatch(
      /^reeve: it failed\n(.|\n)* at (.|\n)*caused by: the disk is full/,
    )
  })

  test('any other is called a bug, with its stack', () => {
    expect(errorText(new TypeError('x is undefined'), { colors: plainColors, debug: false })).toMatch(
      /^reeve: this is a bug in Reeve, please report it: x is undefined\n(.|\n)* at /,
    )
  })
})
