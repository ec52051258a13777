import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createContext, type OutputFormat } from '../../../src/cli/context.ts'
import { errorText } from '../../../src/cli/error-text.ts'
import { plainColors } from '../../../src/cli/screen.ts'
import { forEachName } from '../../../src/cli/several-names.ts'
import { otherVerbs, unknownCommandText } from '../../../src/cli/unknown-command.ts'
import { ReeveError } from '../../../src/core/reeve-error.ts'
import { fakeIo, runCommandLine } from './io.ts'

/** Command and flag names that scripts rely on. Changing one is a breaking change. */
const commands = {
  validate: ['--manifests', '--output'],
  plan: ['--manifests', '--brief', '--output', '--detailed-exitcode', '--out'],
  apply: ['--manifests', '--plan', '--allow-removals'],
  run: ['--manifests'],
  bootstrap: [
    '--branch',
    '--path',
    '--token-file',
    '--known-hosts',
    '--accept-host-key',
    '--signers',
    '--supervisor',
    '--timeout',
    '--dry-run',
  ],
  install: ['--manifests', '--supervisor', '--dry-run', '--adopt', '--allow-removals', '--output'],
  uninstall: ['--yes', '--manifests', '--output'],
  status: ['--output', '--watch', '--manifests'],
  start: ['--if-stopped', '--if-changed', '--suspend', '--manifests'],
  stop: ['--if-stopped', '--if-changed', '--suspend', '--manifests'],
  restart: ['--if-stopped', '--if-changed', '--suspend', '--manifests'],
  reload: ['--if-stopped', '--if-changed', '--suspend', '--manifests'],
  enable: ['--if-stopped', '--if-changed', '--suspend', '--manifests'],
  disable: ['--if-stopped', '--if-changed', '--suspend', '--manifests'],
  supervisors: ['--manifests', '--output'],
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
    'reeve help %s shows the flags of the command, the global flags, and examples',
    async (name, flags) => {
      const { exitCode, stdout } = await runCommandLine(['help', name])
      expect(exitCode).toBe(0)
      for (const flag of [...flags, ...globalFlags]) expect(stdout).toContain(flag)
      expect(stdout).toContain(`Examples:\n  `)
      expect((await runCommandLine([name, '--help'])).stdout).toBe(stdout)
    },
  )

  test('without a command, help goes to stderr and the exit code is 1', async () => {
    const { exitCode, stdout, stderr } = await runCommandLine([])
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' })
    expect(stderr).toContain('Usage: reeve')
  })

  test.each(['--version', '-v', '-V', 'version'])('%s prints the version and nothing else', async word => {
    expect(await runCommandLine([word])).toEqual({
      exitCode: 0,
      stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
      stderr: '',
    })
  })
})

describe('a usage error exits with 1 and names the intended command or flag on stderr', () => {
  test.each([
    [['plam'], 'Did you mean plan?'],
    [['help', 'plam'], 'Did you mean plan?'],
    [['plan', '--detailed-exitcod'], 'Did you mean --detailed-exitcode?'],
    [['plan', '-o', 'yaml'], 'Allowed choices are text, json'],
    [['apply', '--allow-removals', 'many'], 'Expected a whole number'],
    [['bootstrap', '/srv/hosts.git', '--timeout', '2d'], 'Expected a duration of up to a day'],
    [['bootstrap', 'hosts.git'], 'URL: expected https://HOST/PATH'],
    [['bootstrap', '/srv/hosts.git', '--known-hosts', 'x'], '--known-hosts is for ssh URLs only'],
    [['bootstrap', 'git@x:y', '--accept-host-key', 'MD5:00'], 'expected a fingerprint as ssh shows it'],
    [['bootstrap', '/srv/hosts.git', '--path', '../x'], "expected a directory below the repository's top"],
    [['stat'], 'Did you mean status?'],
    [['describe', 'web'], 'Did you mean status NAME?'],
    [['logs', 'web'], 'says where the output of a facility is kept'],
    [['constructor'], "unknown command 'constructor'\n(reeve"],
    [['plan', 'here', '--manifests', 'there'], 'two manifests directories are named, here and --manifests there'],
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

test.each([
  ['list', 'status'],
  ['ps', 'status'],
  ['get', 'status'],
  ['describe', 'status NAME'],
  ['diff', 'plan'],
  ['reconcile', 'apply or run or sync'],
  ['pull', 'sync'],
  ['rm', 'down NAME'],
  ['delete', 'down NAME'],
  ['tail', 'status NAME or history'],
  ['top', 'status --watch'],
  ['plam', 'plan'],
])('%s, as other tools call it, suggests %s', (verb, meant) => {
  expect(unknownCommandText(verb, Object.keys(commands))).toContain(
    `unknown command '${verb}'\n(Did you mean ${meant}?)`,
  )
})

test('every suggested verb is an existing command', async () => {
  const { stdout } = await runCommandLine(['--help'])
  for (const verb of Object.values(otherVerbs).flat())
    expect(stdout).toMatch(new RegExp(`^  ${verb.split(' ')[0]} `, 'm'))
})

describe('a missing manifests directory', () => {
  test.each([
    [['plan', '/nowhere/manifests'], '/nowhere/manifests (given as DIR) does not exist'],
    [['plan', '--manifests', '/nowhere/manifests'], '/nowhere/manifests (given by --manifests) does not exist'],
    [['status', '--manifests', 'no/manifests'], `${process.cwd()}/no/manifests (given by --manifests) does not exist`],
    [
      ['install', '/nowhere'],
      '/nowhere (given as DIR) does not exist; nothing was changed. Create it, or name another',
    ],
  ])('reeve %j reports the path, where it was set, and what to do', async (argv, message) => {
    const state = mkdtempSync(join(tmpdir(), 'reeve-state-'))
    onTestFinished(() => rmSync(state, { recursive: true }))
    const { exitCode, stdout, stderr } = await runCommandLine([...argv, '--state-dir', state], {
      env: { XDG_CONFIG_HOME: '/nowhere' },
    })
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' })
    expect(stderr).toContain(`manifests directory ${message}`)
  })
})

test('explain shows the default of a field and of the fields below it', async () => {
  expect((await runCommandLine(['explain', 'spec.process.stop'])).stdout).toContain('  signal  text  default: TERM\n')
  expect((await runCommandLine(['explain', 'spec.state'])).stdout).toContain('unmanaged  default: running\n')
})

describe('colour', () => {
  const isColored = (text: string) => text.includes('\x1b[')

  test.each([
    ['a terminal has colour', [], {}, true, true],
    ['a pipe has none', [], {}, false, false],
    ['NO_COLOR', [], { NO_COLOR: '1' }, true, false],
    ['an empty NO_COLOR has no effect', [], { NO_COLOR: '' }, true, true],
    ['NO_COLOR wins over FORCE_COLOR', [], { NO_COLOR: '1', FORCE_COLOR: '1' }, true, false],
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
  test('an expected error is one line with its position', () => {
    const position = { file: 'web.yaml', line: 3, column: 5 }
    const error = new ReeveError('invalid', 'expected a list', { position })
    expect(errorText(error, { colors: plainColors, debug: false })).toBe('reeve: web.yaml:3:5: expected a list\n')
  })

  test('an expected error with --log-level debug adds its stack and causes', () => {
    const error = new ReeveError('failed', 'it failed', { cause: new Error('the disk is full') })
    expect(errorText(error, { colors: plainColors, debug: true })).toMatch(
      /^reeve: it failed\n(.|\n)* at (.|\n)*caused by: the disk is full/,
    )
  })

  test('an unexpected error is reported as a bug, with its stack', () => {
    expect(errorText(new TypeError('x is undefined'), { colors: plainColors, debug: false })).toMatch(
      /^reeve: this is a bug in Reeve, please report it: x is undefined\n(.|\n)* at /,
    )
  })
})

describe('an action on several facilities', () => {
  const act = async (names: readonly string[], output: OutputFormat) => {
    const written = { stdout: '', stderr: '' }
    const io = fakeIo(written)
    const context = createContext(io, {}, false)
    const exitCode = await forEachName(context, names, output, async name => {
      if (name === 'gone') throw new ReeveError('not-found', 'there is no facility gone')
      return { message: `${name}: restarted` }
    })
    return { exitCode, ...written }
  }

  test('applies to each, once; a failure of one does not stop the others', async () => {
    expect(await act(['web', 'gone', 'db', 'web'], 'text')).toEqual({
      exitCode: 1,
      stdout: 'web: restarted\ndb: restarted\n',
      stderr: 'reeve: there is no facility gone\n',
    })
    expect(await act(['web', 'db'], 'text')).toMatchObject({ exitCode: 0, stderr: '' })
  })

  test('prints a JSON object for one facility and a list for several', async () => {
    const [web, db] = ['web', 'db'].map(name => ({ message: `${name}: restarted` }))
    expect(JSON.parse((await act(['web'], 'json')).stdout)).toEqual(web)
    expect(JSON.parse((await act(['web', 'gone', 'db'], 'json')).stdout)).toEqual([web, db])
    await expect(act(['gone'], 'json')).rejects.toThrow('there is no facility gone')
  })
})
