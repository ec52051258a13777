import { existsSync } from 'node:fs'
import { stripVTControlCharacters } from 'node:util'
import { expect, test } from 'vitest'
import { eventually } from '../../src/conformance/eventually.ts'
import { isAlive, openCliFixture, sleeper } from '../labs/cli-fixture.ts'

// Output as a person sees it: the same program in a pseudo-terminal of 80 columns.

test('apply shows running and waiting steps, their needs and their age', async () => {
  const home = openCliFixture({
    'db.yaml': sleeper('db', '  health: { exec: { command: [test, -e, /proc/self/cwd/ready] }, interval: 100ms }\n'),
    'web.yaml': sleeper('web', '  dependsOn: [db]\n'),
  })
  const running = home.startInTerminal(['apply'])
  await eventually('web waits for a second', () => / {2}web waits for db to become ready 1s/.test(running.stdout()))
  home.write('ready', '')
  const { exitCode, stdout } = await running.ended
  expect(exitCode).toBe(0)
  expect(stdout).toContain('\x1b[')
  expect(stdout).toMatch(/Done: 2 added/)
})

test('a manual action shows what it waits for and since when; without a terminal it shows nothing', async () => {
  const stubborn = sleeper('slow').replace(
    '[sleep, "1000"]',
    `[sh, -c, "trap : TERM; echo > ready; while :; do sleep 1; done"],
    workingDirectory: DIRECTORY, stop: { timeout: 3s }`,
  )
  const home = openCliFixture()
  home.write('manifests/slow.yaml', stubborn.replace('DIRECTORY', home.directory))
  const started = async (command: string) => {
    await home.succeed([command])
    await eventually('it minds no TERM', () => existsSync(home.path('ready')))
    home.remove('ready')
  }
  await started('apply')
  const stopping = home.startInTerminal(['stop', 'slow'], { env: { NO_COLOR: '1' } })
  await eventually('it has been stopping for a second', () => / {2}slow stopping 1s/.test(stopping.stdout()))
  const { exitCode, stdout } = await stopping.ended
  expect(exitCode).toBe(0)
  // The line is cleared before the answer.
  expect(stdout.endsWith('\x1b[1A\x1b[0Jslow stopped\r\n'), stdout).toBe(true)
  await started('apply')
  expect(await home.reeve(['stop', 'slow'])).toMatchObject({ exitCode: 0, stdout: 'slow stopped\n', stderr: '' })
})

test('plan is coloured on a terminal, but not with NO_COLOR, TERM=dumb or --no-color', async () => {
  const home = openCliFixture({ 'web.yaml': sleeper('web') })
  const plan = async (args: readonly string[], env: Record<string, string>) => {
    return (await home.startInTerminal(['plan', ...args], { env }).ended).stdout
  }
  expect(await plan([], {})).toContain('\x1b[32m')
  expect(await plan([], { NO_COLOR: '1' })).not.toContain('\x1b[')
  expect(await plan([], { TERM: 'dumb' })).not.toContain('\x1b[')
  expect(await plan(['--no-color'], {})).not.toContain('\x1b[')
})

test('down asks, and accepts only yes', async () => {
  const home = openCliFixture({ 'web.yaml': sleeper('web') })
  await home.reeve(['apply'])
  const pid = (await home.status('web'))?.pid ?? 0
  const no = home.startInTerminal(['down'])
  await eventually('it asks', () => no.stdout().includes('[y/N]'))
  no.child.stdin?.write('\r')
  expect(await no.ended).toMatchObject({ exitCode: 1, stdout: expect.stringContaining('Nothing was changed.') })
  expect(isAlive(pid)).toBe(true)
  const yes = home.startInTerminal(['down'])
  await eventually('it asks again', () => yes.stdout().includes('Stop and remove 1 facility? [y/N]'))
  yes.child.stdin?.write('y\r')
  expect(await yes.ended).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('1 removed') })
  expect(isAlive(pid)).toBe(false)
})

test('E16: run logs readable lines, and Ctrl-C ends it while the services keep running', async () => {
  const home = openCliFixture({ 'web.yaml': sleeper('web') })
  const controller = home.startInTerminal(['run'])
  const pid = await eventually('web runs', async () => (await home.status('web'))?.pid)
  controller.child.stdin?.write('\x03')
  const { exitCode, stdout } = await controller.ended
  expect(exitCode).toBe(0)
  expect(stdout).toMatch(/\[\d\d:\d\d:\d\d\].*INFO/)
  expect(stdout).toContain('the services go on')
  expect(isAlive(pid)).toBe(true)
})

test('status --watch redraws until Ctrl-C, in the width of the terminal', async () => {
  const home = openCliFixture({ 'web.yaml': sleeper('web') })
  const watching = home.startInTerminal(['status', '--watch'], { env: { NO_COLOR: '1' } })
  await eventually('it shows that web is absent', () => watching.stdout().includes('absent'))
  await home.reeve(['apply'])
  await eventually('it shows that web runs', () => watching.stdout().includes('running'))
  watching.child.stdin?.write('\x03')
  const { exitCode, stdout } = await watching.ended
  expect(exitCode).toBe(0)
  const lines = stripVTControlCharacters(stdout.replaceAll('\x1b', '\n\x1b')).split(/\r*\n/)
  expect(Math.max(...lines.map(line => line.length))).toBeLessThanOrEqual(80)
})

test('status --watch reports a missing directory like status, on as many lines as needed', async () => {
  const home = openCliFixture()
  const args = ['status', '--manifests', 'gone']
  const { stderr } = await home.reeve(args)
  const [, message = ''] = /(manifests directory .* does not exist; .*)/.exec(stderr) ?? []
  expect(message).not.toBe('')
  const watching = home.startInTerminal([...args, '--watch'], { env: { NO_COLOR: '1' } })
  await eventually('it says that there is something', () => watching.stdout().includes('! '))
  watching.child.stdin?.write('\x03')
  const { stdout } = await watching.ended
  const words = stripVTControlCharacters(stdout).split(/\s+/).join(' ')
  expect(words).toContain(message)
  expect(words).not.toContain('No facilities.')
  for (const line of stripVTControlCharacters(stdout).split(/\r*\n/)) expect(line.length).toBeLessThanOrEqual(80)
})

const otherScreen = '\x1b[?1049h'
const back = '\x1b[?1049l'

test("status --watch restores the terminal's former content, and leaves its last output there", async () => {
  const home = openCliFixture({ 'web.yaml': sleeper('web') })
  await home.succeed(['apply'])
  const watching = home.startInTerminal(['status', '--watch'], { env: { NO_COLOR: '1' } })
  // More facilities than fit on 24 lines.
  for (let index = 0; index < 30; index += 1) home.write(`manifests/more-${index}.yaml`, sleeper(`more-${index}`))
  await eventually('it says that there are more than it can show', () =>
    watching.stdout().includes('… and 9 more lines'),
  )
  watching.child.stdin?.write('\x03')
  const { exitCode, stdout } = await watching.ended
  expect(exitCode).toBe(0)
  expect(stdout.startsWith(otherScreen)).toBe(true)
  expect(stdout.split(otherScreen)).toHaveLength(2)
  const [drawn = '', left = '', ...rest] = stdout.split(back)
  expect(rest).toEqual([])
  for (const each of drawn.split('\x1b[H').slice(1)) expect(each.split('\n').length).toBeLessThanOrEqual(24)
  expect(left).toMatch(/^NAME .*\nweb +running/s)
  // Sequences that clear the screen or the scrollback are never sent.
  for (const clearing of ['\x1b[2J', '\x1b[3J']) expect(stdout).not.toContain(clearing)
})

test('status --watch leaves the alternate screen before it reports an error', async () => {
  const home = openCliFixture({ 'web.yaml': sleeper('web') })
  const watching = home.startInTerminal(['status', 'web', '--watch'], { env: { NO_COLOR: '1' } })
  await eventually('it shows that web is absent', () => watching.stdout().includes('absent'))
  home.remove('manifests/web.yaml')
  const { exitCode, stdout } = await watching.ended
  expect(exitCode).toBe(1)
  const [, left = ''] = stdout.split(back)
  expect(left).toMatch(/^web\r\n.*\nreeve: there is no facility web/s)
})
