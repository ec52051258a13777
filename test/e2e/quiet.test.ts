import { describe, expect, test } from 'vitest'
import { eventually } from '../../src/conformance/eventually.ts'
import { openCliFixture, sleeper } from '../labs/cli-fixture.ts'

// stderr is for logs and progress: a success without anything to report leaves it empty. Not even Node prints anything.

/** An enabled service that nothing starts at boot would be reported. */
const quiet = sleeper('web', '  enabled: false\n')

const looking = [
  ['validate'],
  ['plan'],
  ['plan', '-o', 'json'],
  ['status'],
  ['status', 'web'],
  ['history'],
  ['history', 'web'],
  ['supervisors'],
  ['explain'],
  ['explain', 'spec.process'],
  ['completion', 'bash'],
  ['--version'],
  ['--help'],
  ['plan', '--help'],
]
const execution = [
  ['apply'],
  ['restart', 'web'],
  ['reload', 'web'],
  ['stop', 'web', '--suspend'],
  ['start', 'web'],
  ['resume', 'web'],
  ['suspend', 'web'],
]

type Commands = readonly (readonly string[])[]

describe('successful commands print nothing on stderr', () => {
  test('before anything was applied', async () => {
    const home = openCliFixture()
    expect(
      await saying(
        home,
        looking.filter(args => !args.includes('web')),
      ),
    ).toEqual([])
  })

  test('without a controller', { timeout: 120_000 }, async () => {
    const home = openCliFixture({ 'web.yaml': quiet })
    await home.succeed(['apply'])
    expect(await saying(home, [...looking, ...execution])).toEqual([])
  })

  test('with a controller', { timeout: 120_000 }, async () => {
    const home = openCliFixture({ 'web.yaml': quiet })
    const controller = home.start(['run'])
    await eventually('web runs', async () => (await home.status('web'))?.state === 'running')
    expect(
      await saying(
        home,
        [...looking, ...execution].filter(args => args[0] !== 'apply'),
      ),
    ).toEqual([])
    controller.child.kill('SIGTERM')
    await controller.ended
  })
})

/** What these commands print on stderr, one after another; each has to succeed. */
async function saying(home: ReturnType<typeof openCliFixture>, commands: Commands): Promise<string[]> {
  const said: string[] = []
  for (const args of commands) {
    const { exitCode, stderr } = await home.reeve(args)
    if (exitCode !== 0 || stderr !== '') said.push(`reeve ${args.join(' ')} gave ${exitCode} and said: ${stderr}`)
  }
  return said
}
