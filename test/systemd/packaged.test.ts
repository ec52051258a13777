import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventually } from '../../src/conformance/eventually.ts'
import { createDirectControl } from '../../src/engine/control/direct-control.ts'
import { longRun, planOf, stepsOf } from '../labs/engine-lab.ts'
import { createSystemdLab, property, queryDirectories, systemctl } from '../systemd-lab/engine.ts'

const packages = '/lib/systemd/system'
const script = `trap 'cat /etc/shop.conf >> /tmp/read' HUP; cat /etc/shop.conf >> /tmp/read; while :; do sleep 0.05; done`
const unit = `[Unit]
Description=A shop
[Service]
ExecStart=/bin/sh -c "${script}"
ExecReload=/bin/kill -HUP $MAINPID
[Install]
WantedBy=multi-user.target
`

/** A unit that a package brings. */
describe.skipIf(process.env.REEVE_MACHINE === undefined)('a packaged unit', () => {
  beforeAll(() => {
    writeFileSync('/etc/shop.conf', '')
    writeFileSync(`${packages}/shop.service`, unit)
    systemctl('daemon-reload')
  })
  afterAll(() => rmSync(`${packages}/shop.service`))

  const dropIn = '/etc/systemd/system/shop.service.d/limits.conf'
  const withLimit = (limit: string) => ({
    config: { systemd: { dropIns: { limits: { Service: { MemoryMax: limit } } } } },
  })

  test('gets a drop-in, state and enablement without adoption, and is released unchanged', async () => {
    await using lab = await createSystemdLab()
    lab.declareUnit('shop', withLimit('512M'))
    const plan = await lab.plan()
    expect(stepsOf(plan)).toEqual(['shop/install', 'shop/enable', 'shop/start'])
    expect(planOf(plan, 'shop')?.steps[0]?.reason).toBe('new')
    await lab.apply()
    expect(property('shop', 'MemoryMax')).toBe(String(512 * 2 ** 20))
    expect(systemctl('is-enabled', 'shop')).toBe('enabled')
    expect(stepsOf(await lab.plan())).toEqual([])
    const pid = property('shop', 'MainPID')

    lab.declareUnit('shop', withLimit('256M'))
    expect(stepsOf(await lab.plan())).toEqual(['shop/install', 'shop/restart'])
    await lab.apply()
    expect(property('shop', 'MainPID')).not.toBe(pid)
    expect(stepsOf(await lab.plan())).toEqual([])

    lab.withdraw('shop')
    expect(stepsOf(await lab.plan())).toEqual(['shop/remove'])
    await lab.apply()
    expect(existsSync(dropIn)).toBe(false)
    expect(readFileSync(`${packages}/shop.service`, 'utf8')).toBe(unit)
    expect([property('shop', 'ActiveState'), property('shop', 'MemoryMax')]).toEqual(['active', 'infinity'])
    systemctl('disable', '--now', 'shop')
  })

  test('gets its drop-in restored when it is edited or deleted on the host', async () => {
    await using lab = await createSystemdLab()
    lab.declareUnit('shop', withLimit('512M'))
    await lab.apply()
    const written = readFileSync(dropIn, 'utf8')
    for (const meddle of [() => writeFileSync(dropIn, written.replace('512M', '1G')), () => rmSync(dropIn)]) {
      meddle()
      const plan = await lab.plan()
      expect(planOf(plan, 'shop')).toMatchObject({ change: 'repair' })
      await lab.apply()
      expect(readFileSync(dropIn, 'utf8')).toBe(written)
      expect(stepsOf(await lab.plan())).toEqual([])
    }
    systemctl('disable', '--now', 'shop')
  })

  test('with a misspelt key in a drop-in is reported before the write', async () => {
    await using lab = await createSystemdLab()
    lab.declareUnit('shop', { config: { systemd: { dropIns: { limits: { Service: { MemoryMaxx: '1G' } } } } } })
    expect(planOf((await lab.apply()).plan, 'shop')?.blocked).toMatch(
      /shop\.service\.d\/limits\.conf:\d+: Unknown key 'MemoryMaxx'/,
    )
    expect([existsSync(dropIn), queryDirectories()]).toEqual([false, []])
  })

  test("with a stranger's drop-in of that name is blocked", async () => {
    await using lab = await createSystemdLab()
    mkdirSync('/etc/systemd/system/shop.service.d')
    writeFileSync(dropIn, '[Service]\nMemoryMax=1G\n')
    lab.declareUnit('shop', withLimit('512M'))
    expect(planOf(await lab.plan(), 'shop')?.blocked).toMatch(/adopt: true/)
  })

  test('has its configuration files managed, and is reloaded once for a change', async () => {
    await using lab = await createSystemdLab()
    const files = (content: string) => [{ path: '/etc/shop.conf', content, onChange: 'reload' }]
    rmSync('/etc/shop.conf')
    rmSync('/tmp/read', { force: true })
    lab.declareUnit('shop', { files: files('one\n') })
    await lab.apply()
    await eventually('it to read', () => existsSync('/tmp/read') && readFileSync('/tmp/read', 'utf8') === 'one\n')
    const pid = property('shop', 'MainPID')
    expect(stepsOf(await lab.plan())).toEqual([])
    lab.declareUnit('shop', { files: files('two\n') })
    expect(stepsOf(await lab.plan())).toEqual(['shop/write-file:/etc/shop.conf', 'shop/reload'])
    await lab.apply()
    await eventually('it to read again', () => readFileSync('/tmp/read', 'utf8') === 'one\ntwo\n')
    expect(property('shop', 'MainPID')).toBe(pid)
    expect(stepsOf(await lab.plan())).toEqual([])
    systemctl('disable', '--now', 'shop')
    writeFileSync('/etc/shop.conf', '')
  })

  test('E17: without ExecReload is restarted in place of a reload, and the plan says so', async () => {
    await using lab = await createSystemdLab()
    writeFileSync(`${packages}/plain.service`, unit.replace(/^ExecReload.*$/m, '').replaceAll('shop', 'plain'))
    writeFileSync('/etc/plain.conf', '')
    systemctl('daemon-reload')
    const file = (content: string) => ({ path: '/etc/plain.conf', content, onChange: 'reload' })
    const declare = (content: string): void =>
      lab.declareUnit('plain', { enabled: 'unmanaged', files: [file(content)], adopt: true })
    declare('one\n')
    await lab.apply()
    const pid = property('plain', 'MainPID')
    declare('two\n')
    expect(stepsOf(await lab.plan())).toEqual(['plain/write-file:/etc/plain.conf', 'plain/restart'])
    expect(await lab.apply()).toMatchObject({ failed: [], notReady: [] })
    expect(property('plain', 'MainPID')).not.toBe(pid)
    expect(stepsOf(await lab.plan())).toEqual([])
    const control = createDirectControl(await lab.open())
    expect((await control.act('reload', 'plain')).message).toContain('restarted')
    lab.withdraw('plain')
    await lab.apply()
    systemctl('stop', 'plain')
    rmSync(`${packages}/plain.service`)
  })

  test('adopted as a whole is ours; released, the packaged one is back', async () => {
    await using lab = await createSystemdLab()
    lab.declareUnit('shop', { process: longRun() })
    expect(planOf(await lab.plan(), 'shop')?.blocked).toMatch(/adopt: true/)
    systemctl('start', 'shop')
    lab.declareUnit('shop', { process: longRun(), adopt: true })
    await lab.apply()
    expect(property('shop', 'FragmentPath')).toBe('/etc/systemd/system/shop.service')
    expect(stepsOf(await lab.plan())).toEqual([])
    lab.withdraw('shop')
    await lab.apply()
    expect([property('shop', 'FragmentPath'), property('shop', 'ActiveState')]).toEqual([
      `${packages}/shop.service`,
      'inactive',
    ])
  })

  for (const [suffix, section] of [
    ['timer', '[Timer]\nOnCalendar=yearly'],
    ['socket', '[Socket]\nListenStream=/run/shop'],
  ]) {
    test(`of kind ${suffix} gets a drop-in, which is in force once, and removed`, async () => {
      const name = `shop.${suffix}`
      writeFileSync(`${packages}/${name}`, `${section}\n[Install]\nWantedBy=${suffix}s.target\n`)
      await using lab = await createSystemdLab()
      const described = (as: string) => ({ config: { systemd: { dropIns: { a: { Unit: { Description: as } } } } } })
      for (const as of ['one', 'two']) {
        lab.declareUnit(name, described(as))
        expect(await lab.apply()).toMatchObject({ failed: [], notReady: [] })
        expect([property(name, 'Description'), property(name, 'ActiveState')]).toEqual([as, 'active'])
        expect(stepsOf(await lab.plan())).toEqual([])
      }
      lab.withdraw(name)
      expect(stepsOf(await lab.plan())).toEqual([`${name}/remove`])
      await lab.apply()
      expect([property(name, 'Description'), existsSync(`/etc/systemd/system/${name}.d`)]).toEqual([name, false])
      expect(stepsOf(await lab.plan())).toEqual([])
      systemctl('disable', '--now', name)
      rmSync(`${packages}/${name}`)
    })
  }

  test('has one name: with .service it is refused, and never moved back and forth', async () => {
    await using lab = await createSystemdLab()
    lab.declareUnit('mall', { ...withLimit('512M'), serviceName: 'shop' })
    lab.declareUnit('shop.service', {})
    await lab.apply()
    const plan = await lab.plan()
    expect(planOf(plan, 'shop.service')?.blocked).toMatch(/expected shop, found shop\.service: leave out \.service/)
    expect(stepsOf(plan)).toEqual([])
    lab.withdraw('shop.service')
    lab.declareUnit('mall', { ...withLimit('512M'), serviceName: 'shop.service' })
    expect(planOf(await lab.plan(), 'mall')).toMatchObject({ steps: [], blocked: expect.stringContaining('.service') })
    expect(existsSync(dropIn)).toBe(true)
    systemctl('disable', '--now', 'shop')
  })

  test('that does not exist cannot be added to', async () => {
    await using lab = await createSystemdLab()
    lab.declareUnit('nothing', withLimit('512M'))
    expect(planOf(await lab.plan(), 'nothing')?.blocked).toMatch(/install the package/)
  })
})
