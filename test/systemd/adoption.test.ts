import { existsSync, mkdirSync, readFileSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { describe, expect, test } from 'vitest'
import { eventually } from '../../src/conformance/eventually.ts'
import { planOf, type Spec, stepsOf } from '../labs/engine-lab.ts'
import { createSystemdLab, property, type SystemdLab, systemctl } from '../systemd-lab/engine.ts'

const units = '/etc/systemd/system'
const goesOn = "adopt: writes Reeve's marker, the service goes on"

function service(command = '/bin/sleep 1000000', more = ''): string {
  return `# made by hand\n[Unit]\nDescription=A shop\n\n[Service]\nExecStart=${command}\n${more}\n[Install]\nWantedBy=multi-user.target\n`
}

const text = service()

/** Identity of a unit's run, which differs from run to run. */
function runOf(unit: string): string {
  return `${property(unit, 'InvocationID')} ${property(unit, 'MainPID')}`
}

function write(path: string, content: string): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, content)
}

/** Adopts without touching any process, after which no step remains. */
async function expectAdopted(lab: SystemdLab, name: string, touched: readonly string[] = [name]): Promise<void> {
  const before = touched.map(runOf)
  const plan = await lab.plan()
  expect(stepsOf(plan)).toEqual([`${name}/install`])
  expect(planOf(plan, name)?.steps[0]?.detail).toBe(goesOn)
  expect(await lab.apply()).toMatchObject({ failed: [], notReady: [], stepsDone: 1 })
  expect(touched.map(runOf)).toEqual(before)
  expect(stepsOf(await lab.plan())).toEqual([])
  expect((await lab.observe(name)).ownership?.facility).toBe(name)
}

/** The usual case is a host with existing units. */
describe.skipIf(process.env.REEVE_MACHINE === undefined)('E20: adoption', { timeout: 120_000 }, () => {
  test('of a matching unit touches no process, and later changes are applied', async () => {
    await using lab = await createSystemdLab()
    lab.place('web.service', text)
    systemctl('enable', '--now', 'web')
    // Comments and blanks have no meaning.
    const declare = (native: string): void =>
      lab.declareUnit('web', { config: { systemd: { text: native } }, adopt: true })
    declare(text.replace('# made by hand\n', '').replace('=/bin', ' = /bin'))
    await expectAdopted(lab, 'web')
    expect(systemctl('is-enabled', 'web')).toBe('enabled')
    const run = runOf('web')
    declare(service('/bin/sleep 1000001'))
    expect(stepsOf(await lab.plan())).toEqual(['web/install', 'web/restart'])
    await lab.apply()
    expect(runOf('web')).not.toBe(run)
    expect(stepsOf(await lab.plan())).toEqual([])
  })

  test('of a unit kept beside the manifest, of a packaged one, and of a disabled one touches no process', async () => {
    await using lab = await createSystemdLab()
    lab.place('shop.service', text, '/lib/systemd/system')
    systemctl('start', 'shop')
    write(`${lab.manifests}/shop.service`, text)
    const config = { systemd: { source: './shop.service' } }
    lab.declareUnit('shop', { config, adopt: true, enabled: false })
    await expectAdopted(lab, 'shop')
    expect(property('shop', 'FragmentPath')).toBe(`${units}/shop.service`)
    expect(systemctl('is-enabled', 'shop')).toBe('disabled')
    // A running unit may still have to be enabled.
    lab.declareUnit('shop', { config, adopt: true })
    const run = runOf('shop')
    expect(stepsOf(await lab.plan())).toEqual(['shop/enable'])
    await lab.apply()
    expect(runOf('shop')).toBe(run)
    rmSync('/lib/systemd/system/shop.service')
  })

  test('of a unit with an old date touches no process if systemd has loaded it since it appeared', async () => {
    await using lab = await createSystemdLab()
    const old = new Date('2020-01-01')
    lab.place('web.service', service('/bin/sleep 1000002'))
    systemctl('enable', '--now', 'web')
    write(`${units}/web.service`, text)
    utimesSync(`${units}/web.service`, old, old)
    // A unit loaded at the same moment, by file timestamps, may have been loaded before the change.
    await eventually(
      'the file to have come a while ago',
      () => Date.now() - statSync(`${units}/web.service`).ctimeMs > 50,
    )
    systemctl('daemon-reload')
    systemctl('restart', 'web')
    lab.declareUnit('web', { config: { systemd: { text } }, adopt: true })
    await expectAdopted(lab, 'web')
  })

  test('of a starting unit does not disturb it', async () => {
    await using lab = await createSystemdLab()
    const slow = service(
      '/bin/sh -c "until test -e /tmp/go; do sleep 0.1; done; systemd-notify --ready; sleep 1000000"',
      'Type=notify\nNotifyAccess=all',
    )
    rmSync('/tmp/go', { force: true })
    lab.place('web.service', slow)
    systemctl('start', '--no-block', 'web')
    await eventually('it to be starting', () => property('web', 'ActiveState') === 'activating')
    lab.declareUnit('web', { config: { systemd: { text: slow } }, adopt: true, enabled: false })
    const run = runOf('web')
    expect(stepsOf(await lab.plan())).toEqual(['web/install'])
    const applied = lab.apply()
    writeFileSync('/tmp/go', '')
    expect(await applied).toMatchObject({ failed: [], notReady: [] })
    expect([runOf('web'), stepsOf(await lab.plan())]).toEqual([run, []])
  })

  test('under an alias of a unit is a restart, and says so', async () => {
    await using lab = await createSystemdLab()
    const packages = '/lib/systemd/system'
    symlinkSync('shop.service', `${packages}/web.service`)
    lab.place('shop.service', text, packages)
    systemctl('start', 'shop')
    lab.declareUnit('web', { config: { systemd: { text } }, adopt: true })
    const steps = planOf(await lab.plan(), 'web')?.steps ?? []
    expect(steps.map(({ verb }) => verb)).toContain('restart')
    expect(steps.at(-1)?.detail).toContain('web.service is but another name of shop.service')
    systemctl('stop', 'shop')
    for (const name of ['web', 'shop']) rmSync(`${packages}/${name}.service`)
  })

  for (const [kind, section, keys] of [
    ['timer', '[Timer]\nOnCalendar=yearly\n', { OnCalendar: 'yearly' }],
    ['socket', '[Socket]\nListenStream=/run/job\n', { ListenStream: '/run/job' }],
  ] as const) {
    test(`of a service that a ${kind} starts touches neither`, async () => {
      await using lab = await createSystemdLab()
      const job = '[Service]\nType=oneshot\nExecStart=/bin/true\n'
      lab.place('job.service', job)
      lab.place(`job.${kind}`, `[Unit]\nDescription=job (${kind})\n${section}[Install]\nWantedBy=${kind}s.target\n`)
      systemctl('enable', '--now', `job.${kind}`)
      lab.declareUnit('job', { config: { systemd: { text: job, [kind]: keys } }, adopt: true })
      await expectAdopted(lab, 'job', [`job.${kind}`])
      expect(systemctl('is-enabled', `job.${kind}`)).toBe('enabled')
      const changed = kind === 'timer' ? { OnCalendar: 'monthly' } : { ListenStream: '/run/other' }
      lab.declareUnit('job', { config: { systemd: { text: job, [kind]: changed } }, adopt: true })
      expect(stepsOf(await lab.plan())).toEqual(['job/install', 'job/restart'])
      await lab.apply()
      expect(stepsOf(await lab.plan())).toEqual([])
    })
  }

  test('of drop-ins, declared and not, of units, instances and sockets touches no process', async () => {
    await using lab = await createSystemdLab()
    const dropIn = '[Service]\nNice=5\n'
    write(`${units}/web.service.d/nice.conf`, dropIn)
    write(`${units}/web.service.d/others.conf`, '[Service]\nOOMScoreAdjust=10\n')
    lab.place('web.service', text)
    lab.place('queue@.service', service('/bin/sleep 10000%i', 'ExecStop=/bin/true'), '/lib/systemd/system')
    write(`${units}/queue@7.service.d/nice.conf`, dropIn)
    systemctl('daemon-reload')
    for (const name of ['web', 'queue@7']) systemctl('enable', '--now', name)
    const dropIns = { nice: { Service: { Nice: 5 } } }
    lab.declareUnit('web', { config: { systemd: { text, dropIns } }, adopt: true })
    await expectAdopted(lab, 'web')
    expect(property('web', 'OOMScoreAdjust')).toBe('10')
    lab.declareUnit('queue', { serviceName: 'queue@7', config: { systemd: { dropIns } }, adopt: true })
    const run = runOf('queue@7')
    expect(stepsOf(await lab.plan())).toEqual(['queue/install'])
    expect(await lab.apply()).toMatchObject({ failed: [], notReady: [] })
    expect([runOf('queue@7'), stepsOf(await lab.plan())]).toEqual([run, []])
    rmSync('/lib/systemd/system/queue@.service')
    rmSync(`${units}/web.service.d`, { recursive: true })
  })

  test('of a unit rendered from sections, and of the files that it has read, touches no process', async () => {
    await using lab = await createSystemdLab()
    write('/etc/adopted.conf', 'one\n')
    const sections = {
      Unit: { Description: 'A shop' },
      Service: { ExecStart: '/bin/sleep 1000000' },
      Install: { WantedBy: 'multi-user.target' },
    }
    lab.place('web.service', text)
    systemctl('enable', '--now', 'web')
    const files = (content: string): Spec[] => [{ path: '/etc/adopted.conf', content }]
    const declare = (content: string): void =>
      lab.declareUnit('web', { config: { systemd: { unit: sections } }, files: files(content), adopt: true })
    declare('one\n')
    await expectAdopted(lab, 'web')
    // Files are compared by content, not by time.
    write('/etc/adopted.conf', 'one\n')
    expect(stepsOf(await lab.plan())).toEqual([])
    declare('two\n')
    expect(stepsOf(await lab.plan())).toEqual(['web/write-file:/etc/adopted.conf', 'web/restart'])
    await lab.apply()
    expect(stepsOf(await lab.plan())).toEqual([])
    rmSync('/etc/adopted.conf')
  })

  test('of files for a packaged service touches it only if they differ or are newer than its start', async () => {
    await using lab = await createSystemdLab()
    const path = '/etc/shop.conf'
    const files = [{ path, content: 'one\n' }]
    lab.place('shop.service', text, '/lib/systemd/system')
    write(path, 'one\n')
    systemctl('enable', '--now', 'shop')
    lab.declareUnit('shop', { files, adopt: true })
    await expectAdopted(lab, 'shop')
    lab.withdraw('shop')
    await lab.apply()
    write(path, 'one\n')
    systemctl('restart', 'shop')
    write(path, 'one\n')
    lab.declareUnit('shop', { files, adopt: true })
    expect(stepsOf(await lab.plan())).toEqual(['shop/install', 'shop/restart'])
    await lab.apply()
    expect(stepsOf(await lab.plan())).toEqual([])
    systemctl('disable', '--now', 'shop')
    rmSync(path, { force: true })
    rmSync('/lib/systemd/system/shop.service')
  })

  test('of Reeve’s own unit whose marker is lost, names another owner, or whose state is lost touches no process', async () => {
    await using lab = await createSystemdLab()
    const path = '/etc/lost.conf'
    const spec = { process: { command: ['/bin/sleep', '1000000'] }, files: [{ path, content: 'one\n' }], adopt: true }
    lab.declareUnit('web', spec)
    await lab.apply()
    const run = runOf('web')
    const own = readFileSync(`${units}/web.service`, 'utf8')
    for (const meddled of [
      own.replace(/\n\[X-Reeve\][\s\S]*/, '\n'),
      own.replace('"owner":"default"', '"owner":"other"'),
    ]) {
      expect(meddled).not.toBe(own)
      lab.place('web.service', meddled)
      expect(stepsOf(await lab.plan())).toEqual(['web/install'])
      expect(await lab.apply()).toMatchObject({ failed: [], notReady: [] })
      expect([runOf('web'), stepsOf(await lab.plan())]).toEqual([run, []])
    }
    rmSync(lab.stateDirectory, { recursive: true })
    expect(stepsOf(await lab.plan())).toEqual([])
    expect(await lab.apply()).toMatchObject({ failed: [], stepsDone: 0 })
    expect(runOf('web')).toBe(run)
    rmSync(path)
  })

  for (const [what, native, state] of [
    [
      'that forks',
      service('/bin/sh -c "sleep 1000000 & echo $! >/run/forks.pid"', 'Type=forking\nPIDFile=/run/forks.pid'),
      'active',
    ],
    [
      'that has done its work, and stays',
      service('/bin/sh -c "echo ran >>/tmp/ran"', 'Type=oneshot\nRemainAfterExit=yes'),
      'active',
    ],
    ['that has done its work', service('/bin/sh -c "echo ran >>/tmp/ran"', 'Type=oneshot'), 'inactive'],
  ] as const) {
    test(`of a service ${what} touches no process`, async () => {
      await using lab = await createSystemdLab()
      rmSync('/tmp/ran', { force: true })
      lab.place('once.service', native)
      systemctl('enable', '--now', 'once')
      expect(property('once', 'ActiveState')).toBe(state)
      lab.declareUnit('once', { config: { systemd: { text: native } }, adopt: true })
      const run = runOf('once')
      expect(stepsOf(await lab.plan())).toEqual(['once/install'])
      expect(await lab.apply()).toMatchObject({ failed: [], notReady: [] })
      expect([runOf('once'), stepsOf(await lab.plan())]).toEqual([run, []])
      if (existsSync('/tmp/ran')) expect(readFileSync('/tmp/ran', 'utf8')).toBe('ran\n')
    })
  }

  test('restarts no dependent, and nothing of a suspended facility', async () => {
    await using lab = await createSystemdLab()
    for (const name of ['db', 'web']) {
      lab.place(`${name}.service`, text)
      systemctl('enable', '--now', name)
    }
    const config = { systemd: { text } }
    lab.declareUnit('db', { config, adopt: true })
    lab.declareUnit('web', { config, adopt: true, dependsOn: ['db'], suspend: true })
    const before = ['db', 'web'].map(runOf)
    const plan = await lab.plan()
    expect(stepsOf(plan)).toEqual(['db/install'])
    expect(planOf(plan, 'web')?.withheld?.steps.map(({ verb }) => verb)).toEqual(['install'])
    await lab.apply()
    lab.declareUnit('web', { config, adopt: true, dependsOn: ['db'] })
    await lab.apply()
    expect(['db', 'web'].map(runOf)).toEqual(before)
    expect(stepsOf(await lab.plan())).toEqual([])
  })

  describe('restarts a process that does not match, once, with the reason', () => {
    const old = new Date('2020-01-01')
    const cases: Readonly<Record<string, readonly [meddle: () => void, why: RegExp]>> = {
      'it has another definition': [() => {}, /the manifest defines web\.service otherwise than it is on this host/],
      'it was edited after the start': [
        () => {
          writeFileSync(`${units}/web.service`, service('/bin/sleep 1000002'))
          systemctl('daemon-reload')
        },
        /web\.service changed on disk after web\.service was started/,
      ],
      'it was edited without a daemon-reload': [
        () => writeFileSync(`${units}/web.service`, service('/bin/sleep 1000002')),
        /daemon-reload is pending/,
      ],
      'it was replaced by one with an old date, then started': [
        () => {
          writeFileSync(`${units}/web.service`, service('/bin/sleep 1000002'))
          utimesSync(`${units}/web.service`, old, old)
          systemctl('restart', 'web')
        },
        /put there with an older date/,
      ],
      'a drop-in was added': [
        () => {
          write(`${units}/web.service.d/late.conf`, '[Service]\nNice=5\n')
          writeFileSync(`${units}/web.service`, service('/bin/sleep 1000002'))
        },
        /late\.conf came, and systemd has not loaded that yet|daemon-reload is pending/,
      ],
    }
    for (const [what, [meddle, why]] of Object.entries(cases)) {
      test(what, async () => {
        await using lab = await createSystemdLab()
        lab.place('web.service', text)
        systemctl('enable', '--now', 'web')
        meddle()
        const config = { systemd: { text: service('/bin/sleep 1000002') } }
        lab.declareUnit('web', { config, adopt: true })
        const plan = await lab.plan()
        expect(stepsOf(plan)).toEqual(['web/install', 'web/restart'])
        expect(planOf(plan, 'web')?.steps[1]?.detail).toMatch(why)
        const run = runOf('web')
        expect(await lab.apply()).toMatchObject({ failed: [], notReady: [] })
        expect(runOf('web')).not.toBe(run)
        expect(stepsOf(await lab.plan())).toEqual([])
        rmSync(`${units}/web.service.d`, { recursive: true, force: true })
      })
    }
  })
})
