import { mkdirSync } from 'node:fs'
import { describe, expect, onTestFinished, test } from 'vitest'
import { eventually } from '../../../src/conformance/eventually.ts'
import { openCliFixture, reevePath, sleeper } from '../../labs/cli-fixture.ts'
import { runitHarness } from '../../labs/scan-lab.ts'
import { has } from '../../runner/requirements.ts'

const lost = 'nothing starts web at boot'

test('apply and status report an enabled service that nothing starts at boot, with the remedy', async () => {
  const home = openCliFixture({ 'web.yaml': sleeper('web'), 'job.yaml': sleeper('job', '  enabled: false\n') })
  const { stderr } = await home.reeve(['apply', 'manifests'])
  expect(stderr.split(lost)).toHaveLength(2)
  expect(stderr).toContain('make reeve run DIR its entrypoint')
  const status = await home.reeve(['status'])
  expect(status.stderr).toContain(lost)
  expect(JSON.parse(await home.succeed(['status', '-o', 'json'])).atBoot).toContain(lost)

  const controller = home.start(['run', 'manifests'])
  await eventually('the controller says so', () => controller.stderr().includes(lost))
  const { atBoot } = JSON.parse(await home.succeed(['status', '-o', 'json']))
  expect(atBoot).toContain(lost)
  controller.child.kill('SIGTERM')
  await controller.ended
})

test('a controller says it once, when there is nothing left to do, of all that it concerns', async () => {
  const home = openCliFixture({
    'db.yaml': sleeper('db', '  health: { exec: { command: [test, -e, /proc/self/cwd/healthy] }, interval: 100ms }\n'),
    'web.yaml': sleeper('web', '  dependsOn: [db]\n'),
  })
  const controller = home.start(['run', 'manifests'])
  await eventually('web waits', () => controller.stderr().includes('web: waits for db'))
  expect(controller.stderr()).not.toContain('at boot')
  home.write('healthy', '')
  await eventually('it says so', () => controller.stderr().includes('at boot'))
  await home.succeed(['restart', 'web'])
  await eventually('all is as declared', () => controller.stderr().includes('as declared'))
  controller.child.kill('SIGTERM')
  await controller.ended
  expect(controller.stderr().split('at boot')).toHaveLength(2)
  expect(controller.stderr()).toContain('nothing starts db, web at boot: ')
})

test('it is not said of what is blocked and was never installed', async () => {
  const home = openCliFixture()
  home.write('web.conf', 'theirs')
  home.write('manifests/web.yaml', sleeper('web', `  files: [{ path: ${home.path('web.conf')}, content: ours }]\n`))
  const { exitCode, stderr } = await home.reeve(['apply', 'manifests'])
  expect({ exitCode, stderr }).toEqual({ exitCode: 1, stderr: expect.not.stringContaining('at boot') })
  expect((await home.reeve(['status'])).stderr).not.toContain('at boot')
})

describe.runIf(process.geteuid?.() === 0)('an apply in a container', () => {
  const shell = 'unshare --pid --fork --mount-proc --kill-child sh'
  const apply = `${process.execPath} ${reevePath} apply manifests --config reeve.yaml`
  const inTerminal = (command: string): string[] => ['-qfec', `stty cols 1000; ${command}`, '/dev/null']

  test.each([
    ['without a terminal', 'sh', ['-c', `${shell} entrypoint.sh`]],
    ['on a terminal', 'script', inTerminal(`${shell} entrypoint.sh`)],
  ])('run by its entrypoint at each start starts what is enabled: %s', async (_where, program, args) => {
    const home = openCliFixture({ 'web.yaml': sleeper('web') })
    home.write('entrypoint.sh', `${apply}\necho served\n`)
    const { stdout, stderr } = await home.startProgram(program, args).ended
    expect(stdout).toContain('served')
    expect(stdout + stderr).not.toContain('at boot')
  })

  test('typed at a shell with pid 1 is not repeated at the next start', async () => {
    const home = openCliFixture({ 'web.yaml': sleeper('web') })
    const terminal = home.startProgram('script', inTerminal(`${shell} -i`))
    terminal.child.stdin?.write(`${apply}\nexit\n`)
    expect((await terminal.ended).stdout).toContain(lost)
  })
})

test.skipIf(!has('runsvdir'))('with the controller installed reports nothing', { timeout: 120_000 }, async () => {
  const home = openCliFixture({ 'web.yaml': sleeper('web') })
  const root = home.path('runit')
  mkdirSync(root)
  const runit = await runitHarness.setUp(root)
  onTestFinished(() => runit.tearDown())
  const spec = { type: 'runit', runit: runit.options }
  const manifest = { apiVersion: 'reeve/v1', kind: 'Supervisor', metadata: { name: 'app-runit' }, spec }
  home.write('manifests/app-runit.yaml', JSON.stringify(manifest))
  const { stderr } = await home.reeve(['apply', 'manifests'])
  expect(stderr).toContain(lost)
  expect(stderr).toContain('run reeve install --supervisor app-runit')
  await home.succeed(['install', 'manifests', '--supervisor', 'app-runit', '--insecure-permissions'])
  onTestFinished(async () => void (await home.reeve(['uninstall', '--yes'])))
  const status = await home.reeve(['status', '--manifests', 'manifests', '-o', 'json'])
  expect(JSON.parse(status.stdout).atBoot).toBeUndefined()
})
