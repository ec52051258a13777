import { expect, test } from 'vitest'
import { completionScript } from '../../../src/cli/completion-script.ts'
import { runCommandLine } from './io.ts'

test.each([
  ['commands', ['st'], ['status', 'start', 'stop']],
  ['commands after a global flag and its value', ['--config', 'plan', 'va'], ['validate']],
  ['commands after help', ['help', 'hi'], ['history']],
  ['flags of a command', ['plan', '--d'], ['--detailed-exitcode']],
  ['global flags after a command', ['plan', '--conf'], ['--config']],
  ['values of a flag', ['plan', '-o', ''], ['text', 'json', 'markdown']],
  ['values of a global flag', ['--log-level', 'd'], ['debug']],
  ['values of a flag joined by =', ['plan', '--output=j'], ['--output=json']],
  ['nothing after = of a flag that takes no value', ['down', '--yes='], []],
  ['values of an argument', ['completion', 'f'], ['fish']],
  ['fields of manifests', ['explain', 'spec.heal'], ['spec.health']],
  ['fields of other kinds', ['explain', 'HostConfiguration.list'], ['HostConfiguration.listen']],
  ['directories', ['apply', ''], [':directories']],
  ['directories of a flag', ['status', '--manifests', ''], [':directories']],
  ['files', ['apply', '--plan', ''], [':files']],
  ['nothing after the last argument', ['explain', 'spec', ''], []],
  ['no hidden command or flag', ['compl'], ['completion']],
])('completes %s', async (_what, words, expected) => {
  const { exitCode, stdout, stderr } = await runCommandLine(['complete', '--', ...words])
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' })
  expect(
    stdout
      .split('\n')
      .map(line => line.split('\t')[0])
      .filter(Boolean),
  ).toEqual(expected)
})

test.each(['bash', 'zsh', 'fish'])('the %s script calls reeve for completions', async shell => {
  const { stdout } = await runCommandLine(['completion', shell])
  expect(stdout).toBe(completionScript(shell))
  expect(stdout).toContain(' complete -- ')
})
