import { spawn, spawnSync } from 'node:child_process'
import {
  appendFileSync,
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { eventually } from '../../src/conformance/eventually.ts'
import { facilityManifest, longRun, type Spec } from '../labs/engine-lab.ts'
import { property, systemctl } from '../systemd-lab/engine.ts'
import { type PlacedPackage, placePackage, type Spoken, type User } from '../systemd-lab/package.ts'

const unitPath = '/etc/systemd/system/reeve.service'
const manifests = '/srv/manifests'

// Each test starts the whole program a dozen times, which takes long on a busy machine.
const timeout = 180_000

describe.skipIf(process.env.REEVE_MACHINE === undefined)('reeve install', { timeout }, () => {
  let reeve: PlacedPackage['reeve']
  let installed: PlacedPackage

  beforeEach(() => {
    installed = placePackage('/opt/reeve')
    reeve = installed.reeve
    mkdirSync(manifests)
  })
  afterEach(async () => {
    systemctl('stop', 'reeve')
    expect(await reeve(['uninstall', '--yes'])).toMatchObject({ exitCode: 0 })
    expect(await reeve(['down', '--yes'])).toMatchObject({ exitCode: 0 })
    for (const path of [manifests, '/var/lib/reeve']) rmSync(path, { recursive: true, force: true })
    installed.remove()
  })

  function declare(name: string, spec: Spec): void {
    writeFileSync(`${manifests}/${name}.yaml`, facilityManifest(name, spec))
  }
  /** Fails with the whole output unless the command succeeds. */
  async function succeed(args: readonly string[], user?: User): Promise<string> {
    const spoken = await reeve(args, user)
    expect(spoken, spoken.stderr).toMatchObject({ exitCode: 0 })
    return spoken.stdout
  }
  const install = (...args: string[]): Promise<Spoken> => reeve(['install', manifests, ...args])

  test('starts the controller as a unit, which reconciles services and leaves its own alone', async () => {
    declare('web', { supervisor: 'systemd', process: longRun() })
    const before = await install('--dry-run')
    expect(before).toMatchObject({ exitCode: 0, stderr: '' })
    expect(before.stdout).toMatch(/^Supervisor systemd: the first of this host that answers\.\n\+ reeve \(systemd\)/)
    expect(before.stdout).toContain(`+ExecStart=:"${process.execPath}" "${installed.script}" "run" "${manifests}"`)
    expect([existsSync(unitPath), existsSync('/var/lib/reeve')]).toEqual([false, false])

    const first = await install()
    expect(first, first.stderr).toMatchObject({ exitCode: 0 })
    expect(first.stdout).toContain('Its log: journalctl -u reeve.service')
    expect([property('reeve', 'Type'), property('reeve', 'ActiveState')]).toEqual(['notify', 'active'])
    expect(systemctl('is-enabled', 'reeve')).toBe('enabled')
    expect(statSync('/var/lib/reeve').mode & 0o777).toBe(0o700)
    await eventually('web to run', () => property('web', 'ActiveState') === 'active')
    const controller = property('reeve', 'MainPID')
    spawnSync('journalctl', ['--sync'])
    const journal = spawnSync('journalctl', ['--no-pager', '-o', 'cat', `_PID=${controller}`], { encoding: 'utf8' })
    expect(journal.stdout.trim().split('\n')).toContain(`INFO: reconciling ${manifests}`)

    // E3. And none of it is in the controller's plans, though no manifest declares it.
    const again = await install()
    expect(again).toMatchObject({ exitCode: 0, stderr: '' })
    expect(again.stdout).toContain('No changes.')
    expect(property('reeve', 'MainPID')).toBe(controller)
    expect(await succeed(['plan', manifests])).toBe('No changes. 1 facility is as declared.\n')
    expect(await reeve(['down', '--yes'])).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('the controller would bring web back'),
    })

    // E16, and the restart policy: whatever becomes of the controller, its services keep running.
    const web = property('web', 'MainPID')
    process.kill(Number(controller), 'SIGKILL')
    await eventually('another controller', () => !['0', controller].includes(property('reeve', 'MainPID')))
    systemctl('stop', 'reeve')
    expect(await succeed(['down', '--yes'])).toContain('1 removed')
    expect([existsSync(unitPath), property('web', 'LoadState')]).toEqual([true, 'not-found'])
    expect(await succeed(['install', manifests])).toContain('1 repaired')
    await eventually('web to be back', () => !['', '0', web].includes(property('web', 'MainPID')))
  })

  test('restarts the controller on an upgrade, restores an edited unit, and leaves services running', async () => {
    declare('web', { supervisor: 'systemd', process: longRun() })
    declare('worker', { process: longRun() })
    await succeed(['install', manifests])
    const workerOf = async (): Promise<number> =>
      JSON.parse(await succeed(['status', 'worker', '-o', 'json'])).facilities[0].pid
    await eventually('both to run', async () => property('web', 'MainPID') !== '0' && (await workerOf()) > 0)
    const [controller, web, worker] = [property('reeve', 'MainPID'), property('web', 'MainPID'), await workerOf()]
    const unit = readFileSync(unitPath, 'utf8')
    expect(unit).toMatch(/^# Written by reeve install, .*systemctl edit reeve$/m)

    appendFileSync(installed.script, '// a newer one\n')
    const upgrade = await install()
    expect(upgrade.stderr).toContain('reeve: restarted')
    expect(upgrade.stdout).toContain('1 changed')
    expect(property('reeve', 'MainPID')).not.toBe(controller)
    expect([property('web', 'MainPID'), await workerOf()]).toEqual([web, worker])

    const upgraded = readFileSync(unitPath, 'utf8')
    expect(upgraded).not.toBe(unit)
    writeFileSync(unitPath, upgraded.replace('Restart=always', 'Restart=no'))
    expect(await succeed(['install', manifests])).toContain('1 repaired')
    expect(readFileSync(unitPath, 'utf8')).toBe(upgraded)

    // Services of the built-in supervisor are in the cgroup of the unit, and keep running.
    expect(await reeve(['uninstall'])).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('uninstall --yes'),
    })
    expect(await succeed(['uninstall', '--yes'])).toContain('1 removed')
    expect([existsSync(unitPath), property('reeve', 'LoadState')]).toEqual([false, 'not-found'])
    expect([property('web', 'MainPID'), await workerOf()]).toEqual([web, worker])
    expect(await succeed(['uninstall'])).toBe('The controller is not installed.\n')
  })

  test('replaces no other controller, and no other service unless told to', async () => {
    const byHand = spawn(process.execPath, [installed.script, 'run', manifests], { stdio: 'ignore' })
    await eventually('it to hold the lock', async () => (await install('--dry-run')).stderr.includes('reeve run'))
    const refused = await install()
    expect(refused).toMatchObject({ exitCode: 1, stdout: '' })
    expect(refused.stderr).toMatch(
      /^reeve: process \d+ \(reeve run, since .*stop it first, or name another --state-dir\n$/,
    )
    byHand.kill('SIGKILL')
    await eventually('it to be gone', () => byHand.signalCode !== null)

    const theirs = `[Service]\nExecStart=${process.execPath} ${installed.script} run ${manifests}\n`
    writeFileSync(unitPath, theirs)
    systemctl('daemon-reload')
    const blocked = await install()
    expect(blocked).toMatchObject({ exitCode: 1 })
    expect(blocked.stderr).toContain('not managed by Reeve')
    expect(blocked.stderr).toContain('reeve install --adopt')
    systemctl('start', 'reeve')
    await eventually('it to be the writer', async () =>
      (await install()).stderr.includes('works on this state directory'),
    )
    expect((await install()).stderr).toContain('--adopt takes it over')
    expect(readFileSync(unitPath, 'utf8')).toBe(theirs)
    expect(await succeed(['install', manifests, '--adopt'])).toContain('1 added')
    expect(property('reeve', 'Type')).toBe('notify')
  })

  test('S1: refuses to run as root what others can write, and says where manifests are expected', async () => {
    chownSync('/opt/reeve/dist', 1000, 1000)
    expect(await install()).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('/opt/reeve/dist belongs to'),
    })
    expect(await reeve(['install', '/srv/none'])).toMatchObject({
      exitCode: 1,
      stderr: expect.stringMatching(/manifests directory \/srv\/none \(given as DIR\) does not exist/),
    })
    expect(existsSync(unitPath)).toBe(false)
  })

  test('works for a user with a systemd of their own', async () => {
    spawnSync('useradd', ['--create-home', '--uid', '1234', 'alice'])
    const alice = { uid: 1234, home: '/home/alice' }
    expect(spawnSync('loginctl', ['enable-linger', 'alice'], { encoding: 'utf8' })).toMatchObject({ stderr: '' })
    await eventually('her systemd to run', () => existsSync('/run/user/1234/systemd/private'))
    declare('web', { process: longRun() })
    const said = await succeed(['install', manifests], alice)
    expect(said).toContain('journalctl --user -u reeve.service')
    expect(said).not.toContain('loginctl')
    expect(existsSync('/home/alice/.config/systemd/user/reeve.service')).toBe(true)
    const { controller, facilities } = JSON.parse(
      await succeed(['status', '--manifests', manifests, '-o', 'json'], alice),
    )
    expect(statSync(`/proc/${controller.pid}`).uid).toBe(alice.uid)
    expect(facilities[0].name).toBe('web')
    expect(await succeed(['install', manifests], alice)).toContain('No changes.')
    rmSync('/var/lib/systemd/linger/alice')
    expect(await succeed(['install', manifests], alice)).toContain('loginctl enable-linger')
    await succeed(['uninstall', '--yes'], alice)
    await succeed(['down', '--yes'], alice)
    expect(existsSync(unitPath)).toBe(false)
  })
})
