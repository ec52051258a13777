import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { eventually } from '../../src/conformance/eventually.ts'
import { LONG_RUN } from '../../src/conformance/lab.ts'
import { facilityManifest, longRun, planOf, type Spec, stepsOf } from '../labs/engine-lab.ts'
import { createSystemdLab, property, type SystemdLab, systemctl } from '../systemd-lab/engine.ts'
import { type PlacedPackage, placePackage } from '../systemd-lab/package.ts'

const packages = '/lib/systemd/system'
const unit = `[Service]\nExecStart=${LONG_RUN.join(' ')}\n[Install]\nWantedBy=multi-user.target\n`
const bounded = (more = ''): { configuration: string } => ({
  configuration: `policy:\n  supervisors: [process, systemd]\n  config: [systemd]\n  users: [root]\n  supervisorDirectories: [/tmp]\n${more}`,
})

/** Attempts of a repository on a host whose owner restricts it. */
describe.skipIf(process.env.REEVE_MACHINE === undefined)('S11: a policy', () => {
  beforeAll(() => {
    for (const name of ['ssh', 'victim']) writeFileSync(`${packages}/${name}.service`, unit)
    systemctl('daemon-reload')
  })
  afterAll(() => {
    for (const name of ['ssh', 'victim']) rmSync(`${packages}/${name}.service`)
  })
  beforeEach(() => systemctl('start', 'ssh', 'victim'))
  afterEach(() => systemctl('stop', 'ssh', 'victim'))

  async function refuses(lab: SystemdLab, name: string, spec: Spec, said: RegExp): Promise<void> {
    lab.declareUnit(name, spec)
    const { plan, stepsDone } = await lab.apply()
    expect([...plan.diagnostics.map(({ message }) => message), planOf(plan, name)?.blocked].join('\n')).toMatch(said)
    expect(stepsDone).toBe(0)
    lab.withdraw(name)
  }

  test('keeps a repository from services that it does not define', async () => {
    await using lab = await createSystemdLab(bounded())
    const said = /not allowed by policy.services of the host configuration/
    await refuses(lab, 'debug-shell', {}, said)
    await refuses(lab, 'ssh', { state: 'stopped', enabled: false }, said)
    await refuses(lab, 'a', { serviceName: 'ssh', state: 'stopped' }, said)
    await refuses(lab, 'dbus', { adopt: true, process: longRun() }, said)
    await refuses(lab, 'ssh', { config: { systemd: { dropIns: { a: { Service: { MemoryMax: '1M' } } } } } }, said)
    await refuses(lab, 'ssh', { files: [{ path: '/etc/own.conf', content: '' }] }, said)
    await refuses(lab, 'getty@tty1', { state: 'stopped' }, said)
    expect(property('debug-shell', 'ActiveState')).toBe('inactive')
    expect(property('ssh', 'ActiveState')).toBe('active')
    expect(property('dbus', 'FragmentPath')).toBe(`${packages}/dbus.service`)
  })

  test('allows services that it lists', async () => {
    await using lab = await createSystemdLab(bounded('  services: [ss*]'))
    lab.declareUnit('ssh', { state: 'stopped', enabled: 'unmanaged' })
    await lab.apply()
    expect(property('ssh', 'ActiveState')).toBe('inactive')
    await refuses(lab, 'victim', { state: 'stopped' }, /policy.services of the host configuration \(it has ss\*\)/)
  })

  test('keeps a definition from units that it names', async () => {
    await using lab = await createSystemdLab(bounded())
    const process = longRun()
    const unitWith = (section: string, key: string, value: string): Spec => ({
      process,
      config: { systemd: { unit: { [section]: { [key]: value } } } },
    })
    const said = /names service (victim|victim\.socket|reboot\.target), which Reeve doesn't define/
    for (const key of [
      'Conflicts',
      'Requires',
      'Wants',
      'BindsTo',
      'PartOf',
      'Upholds',
      'OnFailure',
      'OnSuccess',
      'PropagatesStopTo',
    ]) {
      await refuses(lab, 'web', unitWith('Unit', key, 'victim.service'), said)
    }
    await refuses(lab, 'web', unitWith('Install', 'Alias', 'victim.service'), said)
    await refuses(lab, 'web', unitWith('Install', 'Also', 'victim.service'), said)
    await refuses(lab, 'web', unitWith('Service', 'Sockets', 'victim.socket'), said)
    await refuses(lab, 'web', unitWith('Unit', 'SuccessAction', 'reboot'), said)
    await refuses(
      lab,
      'web',
      { process, config: { systemd: { socket: { ListenStream: '/run/x', Service: 'victim.service' } } } },
      said,
    )
    await refuses(
      lab,
      'web',
      { process, config: { systemd: { timer: { OnActiveSec: 1, Unit: 'victim.service' } } } },
      said,
    )
    await refuses(
      lab,
      'web',
      { process, config: { systemd: { dropIns: { a: '[Unit]\nConflicts=victim.service\n' } } } },
      said,
    )
    await refuses(
      lab,
      'web',
      { config: { systemd: { text: `[Unit]\nDescription=a\\\\\nConflicts=victim.service\n${unit}` } } },
      said,
    )
    await refuses(
      lab,
      'web',
      { config: { systemd: { text: `[Unit]\nDescription=a\rConflicts=victim.service\n${unit}` } } },
      said,
    )
    lab.write('web.service', `[Unit]\nConflicts=victim.service\n${unit}`)
    await refuses(lab, 'web', { config: { systemd: { source: './web.service' } } }, said)
    expect(property('victim', 'ActiveState')).toBe('active')

    // network-online.target needs no permission, nor do the repository's own units.
    lab.declareUnit('db', { process })
    lab.declareUnit('web', unitWith('Unit', 'Requires', 'network-online.target db.service'))
    await lab.apply()
    expect(property('web', 'ActiveState')).toBe('active')
    expect(stepsOf(await lab.plan())).toEqual([])
  })

  test('or its absence keeps a facility from a unit that is no service', async () => {
    await using lab = await createSystemdLab()
    for (const name of [
      'reboot.target',
      'rescue.target',
      'tmp.mount',
      'user.slice',
      'init.scope',
      'systemd-poweroff',
      'emergency',
    ]) {
      await refuses(lab, name, { enabled: 'unmanaged' }, /has no such service as facility .* names: expected a service/)
    }
    const dropIns = { a: { Service: { ExecStartPre: '/bin/touch /tmp/ran' } } }
    await refuses(
      lab,
      'a',
      { serviceName: 'systemd-', process: longRun(), config: { systemd: { dropIns } } },
      /doesn't end in "-"/,
    )
    expect(systemctl('is-system-running')).not.toBe('stopping')
  })
})

describe.skipIf(process.env.REEVE_MACHINE === undefined)(
  'S11: the controller’s own service',
  { timeout: 180_000 },
  () => {
    const manifests = '/srv/manifests'
    let installed: PlacedPackage

    beforeEach(() => {
      installed = placePackage('/opt/reeve')
      mkdirSync(manifests)
    })
    afterEach(async () => {
      systemctl('stop', 'reeve', 'gitops')
      await installed.reeve(['uninstall', '--yes'])
      await installed.reeve(['down', '--yes'])
      for (const path of [
        manifests,
        '/var/lib/reeve',
        '/etc/systemd/system/gitops.service',
        '/etc/systemd/system/ops.service',
      ]) {
        rmSync(path, { recursive: true, force: true })
      }
      systemctl('daemon-reload')
      installed.remove()
    })

    async function blockedOf(spec: Spec, name = 'web'): Promise<string> {
      writeFileSync(`${manifests}/${name}.yaml`, facilityManifest(name, { supervisor: 'systemd', ...spec }))
      const { stdout } = await installed.reeve(['plan', manifests, '-o', 'json'])
      rmSync(`${manifests}/${name}.yaml`)
      return JSON.parse(stdout).facilities[0]?.blocked ?? ''
    }

    const attempts = (service: string): readonly Spec[] => [
      { serviceName: service, state: 'stopped', enabled: false },
      { serviceName: service, adopt: true, process: longRun() },
      { serviceName: service, config: { systemd: { dropIns: { a: { Service: { ExecStartPre: '/bin/false' } } } } } },
      { process: longRun(), config: { systemd: { unit: { Unit: { Conflicts: `${service}.service` } } } } },
      { process: longRun(), config: { systemd: { unit: { Install: { Alias: `${service}.service` } } } } },
    ]

    test('is left alone where reeve install created it, running or not, under any name', async () => {
      expect(await installed.reeve(['install', manifests])).toMatchObject({ exitCode: 0 })
      symlinkSync('reeve.service', '/etc/systemd/system/ops.service')
      systemctl('daemon-reload')
      for (const service of ['reeve', 'ops']) {
        for (const spec of attempts(service)) expect(await blockedOf(spec)).toMatch(/Reeve's own controller/)
      }
      expect(await blockedOf({ state: 'stopped' }, 'reeve')).toMatch(/Reeve's own controller/)
      // The controller reports it too, and continues.
      writeFileSync(`${manifests}/reeve.yaml`, facilityManifest('reeve', { supervisor: 'systemd', state: 'stopped' }))
      await eventually('the controller to say so', async () =>
        (await installed.reeve(['status', 'reeve'])).stdout.includes("Reeve's own controller"),
      )
      expect(property('reeve', 'ActiveState')).toBe('active')
      rmSync(`${manifests}/reeve.yaml`)
      systemctl('stop', 'reeve')
      for (const spec of attempts('reeve')) expect(await blockedOf(spec)).toMatch(/Reeve's own controller/)
      // Reeve itself repairs and removes it.
      expect(await installed.reeve(['install', manifests])).toMatchObject({ exitCode: 0 })
    })

    test('is left alone where somebody else created it', async () => {
      const script = `/bin/sh -c "${process.execPath} ${installed.script} run ${manifests}; :"`
      writeFileSync('/etc/systemd/system/gitops.service', `[Service]\nExecStart=${script}\nEnvironment=HOME=/root\n`)
      symlinkSync('gitops.service', '/etc/systemd/system/ops.service')
      systemctl('daemon-reload')
      systemctl('start', 'gitops')
      await eventually('the controller to run', async () =>
        (await installed.reeve(['status', '-o', 'json'])).stdout.includes('"controller"'),
      )
      for (const service of ['gitops', 'ops']) {
        for (const spec of attempts(service)) expect(await blockedOf(spec)).toMatch(/Reeve's own controller/)
      }
      expect(property('gitops', 'ActiveState')).toBe('active')
    })
  },
)
