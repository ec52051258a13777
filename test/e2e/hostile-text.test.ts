import { mkdirSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { eventually } from '../../src/conformance/eventually.ts'
import { type CliFixture, openCliFixture, sleeper } from '../labs/cli-fixture.ts'

// S10: text from manifests, processes and files, as it reaches a person in a pseudo-terminal.

/** Clears the screen, sets the title, moves up, in both forms of a control sequence; reorders; is invisible. */
const hostile = '\u001b[2J\u001b]0;owned\u0007\u009b3A\u202egnp.x\u2066\u200b\r'
const written = JSON.stringify(hostile)

/** Colours, cursor up, erase, alternate screen: sequences of Reeve itself. */
const sequences = ['(0|1|2|22|31|32|33|34|35|36|39)m', '\\d+A\u001b\\[0J', '\\?(1049|7)[hl]', '2K', '[HJ]']
const own = new RegExp(`\u001b\\[(${sequences.join('|')})|\\r+\\n`, 'g')
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const raw = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u202a-\u202e\u2028\u2029\u2060-\u206f\ufeff]/

async function look(home: CliFixture, args: readonly string[], mustSay = /u(001b|202e)/): Promise<void> {
  const { stdout } = await home.startInTerminal(args).ended
  const rest = stdout.replace(own, '')
  expect(rest, `reeve ${args.join(' ')}`).not.toMatch(raw)
  expect(rest, `reeve ${args.join(' ')}`).toMatch(mustSay)
}

function hostileFacility(home: CliFixture, name: string, command: string): string {
  return JSON.stringify({
    apiVersion: 'reeve/v1',
    kind: 'Facility',
    metadata: { name },
    spec: {
      process: { command: ['sh', '-c', command], workingDirectory: home.path(`dir ${hostile}`) },
      files: [{ path: home.path(`file ${hostile}`), content: `${hostile}\n` }],
      health: { exec: { command: ['true'] }, interval: '100ms', startupTimeout: '1s' },
    },
  })
}

test('S10: no command passes control characters from manifests, paths and programs to the terminal', async () => {
  const home = openCliFixture()
  mkdirSync(home.path(`dir ${hostile}`))
  home.write('manifests/web.yaml', hostileFacility(home, 'web', 'sleep 1000'))
  await look(home, ['plan'])
  await look(home, ['apply'])
  home.write('manifests/web.yaml', hostileFacility(home, 'web', `: ${hostile}; sleep 1000`))
  writeFileSync(home.path(`file ${hostile}`), `${hostile}${hostile}\n`)
  await look(home, ['plan'])
  await look(home, ['apply'])
  for (const args of [['status'], ['status', 'web'], ['history'], ['supervisors'], ['validate'], ['explain', 'spec']]) {
    await look(home, args, /./)
  }

  // Impossible facilities: a missing working directory, a file in the way, a socket that is none.
  const gone = `/no/such ${hostile}`
  home.write(
    'manifests/bad.yaml',
    JSON.stringify({
      apiVersion: 'reeve/v1',
      kind: 'Facility',
      metadata: { name: 'bad' },
      spec: { process: { command: ['sleep', '1'], workingDirectory: gone } },
    }),
  )
  await look(home, ['apply'])
  await look(home, ['status', 'bad'], /./)
  await look(home, ['status'], /./)
  await look(home, ['history'], /./)
  home.remove('manifests/bad.yaml')

  for (const verb of [
    'start',
    'stop',
    'restart',
    'reload',
    'enable',
    'disable',
    'suspend',
    'resume',
    'status',
    'down',
    'explain',
    hostile,
  ]) {
    await look(home, [verb, hostile])
  }
  await look(home, ['plan', `--${hostile}`])
  await look(home, ['plan', hostile])
  await look(home, ['plan', '--state-dir', hostile], /./)
  await look(home, ['apply', '--plan', hostile])
  await look(home, ['history', '--limit', hostile])
  await look(home, ['down', '--yes', 'web'])
})

test('S10: diagnostics with excerpts, and configuration errors, show escaped text', async () => {
  const home = openCliFixture()
  const name = `a ${hostile.replace('/', '')}.yaml`
  home.write(
    `manifests/${name}`,
    `apiVersion: reeve/v1\nkind: Facility\nmetadata: { name: ${written} }\nspec: { "${'x'}": 1 }\n`,
  )
  home.write(
    'manifests/b.yaml',
    `apiVersion: reeve/v1\nkind: Facility # \u202e comment\nmetadata: { name: web }\nspec: { \u202egnp: ${written}, supervisor: ${written}, dependsOn: [${written}] }\n`,
  )
  home.write('manifests/c.yaml', `kind: ${written}\n`)
  for (const command of ['validate', 'plan', 'apply']) await look(home, [command])
  home.remove(`manifests/${name}`)
  home.remove('manifests/b.yaml')
  home.remove('manifests/c.yaml')
  home.write('other.yaml', `apiVersion: reeve/v1\nkind: HostConfiguration\n${written}: 1\nproviders: [${written}]\n`)
  await look(home, ['plan', '--config', 'other.yaml'], /./)
})

test("S10: the controller's log and status --watch show escaped text", async () => {
  const home = openCliFixture({ 'web.yaml': sleeper('web') })
  const controller = home.startInTerminal(['run'])
  await eventually('web runs', async () => (await home.status('web'))?.pid)
  mkdirSync(home.path(`dir ${hostile}`))
  home.write('manifests/app.yaml', hostileFacility(home, 'app', 'sleep 1000'))
  home.write('manifests/broken.yaml', `kind: ${written}\n`)
  await eventually('app runs', async () => (await home.status('app'))?.pid)
  await eventually('the log tells of it', () => controller.stdout().includes('u202e'))
  const watching = home.startInTerminal(['status', '--watch'])
  await eventually('it is shown', () => watching.stdout().includes('app'))
  watching.child.stdin?.write('\x03')
  const { stdout: watched } = await watching.ended
  controller.child.stdin?.write('\x03')
  const { stdout } = await controller.ended
  for (const text of [stdout.replace('^C', ''), watched.replace('^C', '')])
    expect(text.replace(own, '')).not.toMatch(raw)
})

test('JSON has the original text', async () => {
  const home = openCliFixture()
  mkdirSync(home.path(`dir ${hostile}`))
  home.write('manifests/web.yaml', hostileFacility(home, 'web', 'sleep 1000'))
  const plan = JSON.parse(await home.succeed(['plan', '-o', 'json']))
  const path = home.path(`file ${hostile}`)
  expect(plan.facilities[0].steps.map((step: { path?: string }) => step.path)).toContain(path)
})
