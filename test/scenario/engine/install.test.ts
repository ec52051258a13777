import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { eventually } from '../../../src/conformance/eventually.ts'
import type { ConformanceHarness, ConformanceSupervisor } from '../../../src/conformance/index.ts'
import { isAlive } from '../../../src/conformance/lab.ts'
import { type CliFixture, openCliFixture, sleeper } from '../../labs/cli-fixture.ts'
import { createGitLab } from '../../labs/git-lab.ts'
import { runitHarness, s6Harness } from '../../labs/scan-lab.ts'
import { has } from '../../runner/requirements.ts'

// The installation under systemd is tested in test/systemd/install.test.ts.

test.skipIf(!has('runsvdir') || !has('s6-svscan'))(
  'the controller is installed under runit, moved to s6, survives kill and boot, loses its state, and is uninstalled',
  { timeout: 180_000 },
  async () => {
    const home = openCliFixture({ 'web.yaml': sleeper('web') })
    const runit = await declareSupervisor(home, 'app-runit', runitHarness)
    const s6 = await declareSupervisor(home, 'app-s6', s6Harness)
    const install = async (...args: string[]): Promise<string> => {
      const { exitCode, stdout, stderr } = await home.reeve(['install', 'manifests', '--insecure-permissions', ...args])
      expect(exitCode, stderr).toBe(0)
      return stdout
    }

    const plan = await install('--supervisor', 'app-runit', '--dry-run')
    expect(plan).toMatch(/^Supervisor app-runit: as asked for\.\n\+ reeve \(app-runit\)\n/)
    expect(existsSync(home.path('state'))).toBe(false)
    expect(await install('--supervisor', 'app-runit')).toContain(`Its log: ${home.path('state/controller.log')}`)
    const first = await controllerPid(home)
    await eventually('web runs', async () => (await home.status('web'))?.state === 'running')
    const web = await home.status('web')
    expect(readFileSync(home.path('state/controller.log'), 'utf8')).toContain(`reconciling ${home.path('manifests')}`)

    // E3, E18: the installation is found without the state directory.
    rmSync(home.path('state/installation'), { recursive: true })
    const again = await install()
    expect(again).toContain('Supervisor app-runit: where the controller is installed already.')
    expect(again).toContain('No changes.')
    expect(await controllerPid(home)).toBe(first)

    // E14: the old controller releases the state directory before the new one takes it.
    expect(await install('--supervisor', 'app-s6')).toContain('1 changed')
    const moved = await controllerPid(home)
    expect([isAlive(first), runit.services(), s6.services()]).toEqual([false, [], ['reeve']])
    // The controller recognizes its removal by the settings of the installation.
    expect((await home.reeve(['down', '--yes'])).stderr).toContain(
      `the controller (process ${moved}) has other settings than this command: insecurePermissions is true there`,
    )
    const down = await home.reeve(['down', '--yes', '--insecure-permissions'])
    expect(down.stderr).toMatch(/^reeve: the controller would bring web back .* stop the controller/)

    process.kill(moved, 'SIGKILL')
    const next = await eventually('it is started again', async () => (await findController(home)) ?? false)
    expect(next).not.toBe(moved)
    await s6.boot()
    await eventually('it is started at boot', async () => ![undefined, next].includes(await findController(home)))
    expect((await home.status('web'))?.pid).toBe(web?.pid)

    expect(await home.succeed(['uninstall', '--yes'])).toContain('1 removed')
    expect([await findController(home), s6.services()]).toEqual([undefined, []])
    expect((await home.status('web'))?.pid).toBe(web?.pid)
    expect(await home.succeed(['uninstall', '--yes'])).toBe('The controller is not installed.\n')
  },
)

test.skipIf(!has('runsvdir') || !has('git'))(
  'an installed controller follows the repository of the host configuration, and is restarted once that is edited',
  { timeout: 180_000 },
  async () => {
    const home = openCliFixture()
    await declareSupervisor(home, 'app-runit', runitHarness)
    using lab = createGitLab()
    lab.commit({
      'web.yaml': sleeper('web'),
      'runit.yaml': readFileSync(home.path('manifests/app-runit.yaml'), 'utf8'),
    })
    const configure = (interval: string): void =>
      home.write(
        'reeve.yaml',
        `apiVersion: reeve/v1\nkind: HostConfiguration\nstateDirectory: state\nsource: { git: { url: "${lab.upstream}", interval: ${interval} } }\n`,
      )
    configure('1h')
    await home.succeed(['sync'])
    const install = (): Promise<string> =>
      home.succeed(['install', '--insecure-permissions', '--supervisor', 'app-runit'])
    onTestFinished(async () => void (await home.succeed(['uninstall', '--yes'])))
    await install()
    const first = await controllerPid(home)
    lab.commit({ 'worker.yaml': sleeper('worker') })
    expect(await home.succeed(['sync'])).toContain('Change manifests')
    await eventually('worker runs', async () => (await home.status('worker'))?.state === 'running')

    expect(await install()).toContain('No changes.')
    expect(await controllerPid(home)).toBe(first)
    configure('2h')
    expect(await install()).toContain('1 changed')
    expect(await controllerPid(home)).not.toBe(first)
  },
)

test.skipIf(!has('runsvdir'))('the controller of a host in report mode is installed and uninstalled', async () => {
  const home = openCliFixture({ 'web.yaml': sleeper('web') })
  const runit = await declareSupervisor(home, 'app-runit', runitHarness)
  const configuration = readFileSync(home.path('reeve.yaml'), 'utf8')
  home.write('reeve.yaml', `${configuration}mode: report\n`)
  await home.succeed(['install', 'manifests', '--supervisor', 'app-runit'])
  const { mode, controller, facilities } = JSON.parse(await home.succeed(['status', '-o', 'json']))
  expect({ mode, services: runit.services(), pending: facilities[0].pending }).toEqual({
    mode: 'report',
    services: ['reeve'],
    pending: 'to do: install, enable, start',
  })
  expect(controller.pid).toBeGreaterThan(0)
  expect(await home.succeed(['uninstall', '--yes'])).toContain('1 removed')
  expect(runit.services()).toEqual([])
  home.write('reeve.yaml', configuration)
})

test('install under the built-in supervisor is refused, with the reason and what to do', async () => {
  const home = openCliFixture({ 'web.yaml': sleeper('web') })
  const { exitCode, stdout, stderr } = await home.reeve(['install', '--supervisor', 'process'])
  expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' })
  expect(stderr).toMatch(/^reeve: supervisor process can't run the controller: nothing starts .* `reeve run DIR`/)
  const other = await home.reeve(['install', '--supervisor', 'proces'])
  expect(other.stderr).toMatch(
    /there is no supervisor proces: expected one of daemontools, openrc, process, runit, s6, systemd/,
  )
  expect(existsSync(home.path('state'))).toBe(false)
})

interface DeclaredSupervisor extends ConformanceSupervisor {
  /** Command line of the controller. */
  services(): string[]
}

async function declareSupervisor(
  home: CliFixture,
  name: string,
  harness: ConformanceHarness,
): Promise<DeclaredSupervisor> {
  const directory = home.path(name)
  mkdirSync(directory)
  const supervisor = await harness.setUp(directory)
  onTestFinished(() => supervisor.tearDown())
  const { type } = harness.provider
  const manifest = { apiVersion: 'reeve/v1', kind: 'Supervisor', metadata: { name } }
  home.write(`manifests/${name}.yaml`, JSON.stringify({ ...manifest, spec: { type, [type]: supervisor.options } }))
  return { ...supervisor, services: () => readdirSync(join(directory, 'service')).filter(one => !one.startsWith('.')) }
}

async function findController(home: CliFixture): Promise<number | undefined> {
  const { controller }: { controller?: { pid: number } } = JSON.parse(await home.succeed(['status', '-o', 'json']))
  return controller?.pid
}

async function controllerPid(home: CliFixture): Promise<number> {
  const pid = await findController(home)
  if (pid === undefined) throw new Error('no controller answers')
  return pid
}
