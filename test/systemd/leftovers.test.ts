import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { LONG_RUN } from '../../src/conformance/lab.ts'
import type { Effect } from '../../src/host/effects.ts'
import { createWriteHost } from '../../src/host/write-host.ts'
import { longRun, planOf, stepsOf } from '../labs/engine-lab.ts'
import { createSystemdLab, property, type SystemdLab, systemctl } from '../systemd-lab/engine.ts'

const units = '/etc/systemd/system'
const packaged = '/lib/systemd/system/shop.service'

/** A setting removed from the manifest must not stay in force. */
describe.skipIf(process.env.REEVE_MACHINE === undefined)('E1: a dropped declaration is removed:', () => {
  beforeAll(() => {
    writeFileSync(packaged, `[Service]\nExecStart=${LONG_RUN.join(' ')}\n[Install]\nWantedBy=multi-user.target\n`)
    systemctl('daemon-reload')
  })
  afterAll(() => rmSync(packaged))

  const limits = (...names: string[]) =>
    Object.fromEntries(names.map((name, index) => [name, { Service: { [name]: String(index + 5) } }]))
  const dropIns = (...names: string[]) => ({ config: { systemd: { dropIns: limits(...names) } } })
  const inForce = (unit: string): string[] => [property(unit, 'Nice'), property(unit, 'OOMScoreAdjust')]
  /** Links of targets. */
  const linksTo = (unit: string): string[] =>
    readdirSync(units).filter(name => name.endsWith('.wants') && readdirSync(`${units}/${name}`).includes(unit))
  const files = (): string[] => readdirSync(units).filter(name => /^(?:web|shop)\./.test(name))

  async function expectDone(lab: SystemdLab): Promise<void> {
    expect(await lab.apply()).toMatchObject({ failed: [], notReady: [] })
    expect(stepsOf(await lab.plan())).toEqual([])
  }

  for (const { name, base } of [
    { name: 'web', base: { process: longRun() } },
    { name: 'shop', base: {} },
  ]) {
    test(`one drop-in of two, then the other: ${name}`, async () => {
      await using lab = await createSystemdLab()
      lab.declareUnit(name, { ...base, ...dropIns('Nice', 'OOMScoreAdjust') })
      await expectDone(lab)
      expect(inForce(name)).toEqual(['5', '6'])

      lab.declareUnit(name, { ...base, ...dropIns('Nice') })
      const plan = await lab.plan()
      expect(stepsOf(plan)).toEqual([`${name}/install`, `${name}/restart`])
      expect(planOf(plan, name)).toMatchObject({ steps: [{ reason: 'definition-changed' }, {}] })
      expect(planOf(plan, name)?.steps[0]?.diff).toMatch(
        /--- .*OOMScoreAdjust\.conf\n\+\+\+ \/dev\/null\n(?:.*\n)*-OOMScoreAdjust=6\n/,
      )
      await expectDone(lab)
      expect(inForce(name)).toEqual(['5', '0'])

      const pid = property(name, 'MainPID')
      lab.declareUnit(name, base)
      expect(stepsOf(await lab.plan())).toEqual([`${name}/${name === 'web' ? 'install' : 'remove'}`, `${name}/restart`])
      await expectDone(lab)
      expect([inForce(name), existsSync(`${units}/${name}.service.d`)]).toEqual([['0', '0'], false])
      expect(property(name, 'MainPID')).not.toBe(pid)
      systemctl('disable', '--now', name)
    })
  }

  test('a file of ours that reappears is drift, though nothing else differs', async () => {
    await using lab = await createSystemdLab()
    lab.declareUnit('web', { process: longRun(), ...dropIns('Nice') })
    await lab.apply()
    const [path = '', text] = [`${units}/web.service.d/Nice.conf`, readFileSync(`${units}/web.service.d/Nice.conf`)]
    lab.declareUnit('web', { process: longRun() })
    await expectDone(lab)
    writeFileSync(path.replace(/web\.service\.d.*/, 'web.timer'), `[Timer]\nOnCalendar=daily\n${text}`)
    const { change, steps = [] } = planOf(await lab.plan(), 'web') ?? {}
    expect([change, steps[0]]).toEqual(['repair', expect.objectContaining({ reason: 'definition-drift' })])
    await lab.apply()
    expect(files()).toEqual(['web.service'])
    expect(stepsOf(await lab.plan())).toEqual([])
  })

  for (const config of [{ timer: { OnCalendar: 'daily' } }, { socket: { ListenStream: '/run/web' } }]) {
    const [kind = ''] = Object.keys(config)
    test(`a ${kind} is added and removed, with the enablement as before`, async () => {
      for (const enabled of [true, false, 'unmanaged']) {
        await using lab = await createSystemdLab()
        const isEnabled = enabled === true ? 'enabled' : 'disabled'
        const states = (): string[] => ['web.service', `web.${kind}`].map(unit => property(unit, 'ActiveState'))
        lab.declareUnit('web', { process: longRun(), enabled })
        await expectDone(lab)
        if (enabled === 'unmanaged') systemctl('enable', 'web')

        lab.declareUnit('web', { process: longRun(), enabled, config: { systemd: config } })
        await expectDone(lab)
        expect([states(), systemctl('is-enabled', `web.${kind}`)]).toEqual([
          ['inactive', 'active'],
          enabled === 'unmanaged' ? 'enabled' : isEnabled,
        ])
        expect(linksTo('web.service')).toEqual([])

        lab.declareUnit('web', { process: longRun(), enabled })
        await expectDone(lab)
        expect([states(), files()]).toEqual([['active', 'inactive'], ['web.service']])
        expect(systemctl('is-enabled', 'web')).toBe(enabled === 'unmanaged' ? 'enabled' : isEnabled)
        expect(linksTo(`web.${kind}`)).toEqual([])
      }
    })
  }

  test('a unit that replaced a packaged one, once only drop-ins are declared', async () => {
    await using lab = await createSystemdLab()
    lab.declareUnit('shop', { adopt: true, process: longRun(7) })
    await expectDone(lab)
    expect(property('shop', 'FragmentPath')).toBe(`${units}/shop.service`)
    lab.declareUnit('shop', { adopt: true, ...dropIns('Nice') })
    await expectDone(lab)
    expect([property('shop', 'FragmentPath'), inForce('shop')]).toEqual([packaged, ['5', '0']])
    expect([systemctl('is-enabled', 'shop'), property('shop', 'ActiveState')]).toEqual(['enabled', 'active'])
    systemctl('disable', '--now', 'shop')
  })

  test('not a unit that has no packaged one below it, which is reported', async () => {
    await using lab = await createSystemdLab()
    lab.declareUnit('web', { process: longRun() })
    await expectDone(lab)
    lab.declareUnit('web', dropIns('Nice'))
    const { failed } = await lab.apply()
    expect(failed[0]?.message).toMatch(/install the package that brings it, or declare spec\.process/)
    expect([files(), property('web', 'ActiveState')]).toEqual([['web.service'], 'active'])
  })

  test('E4: cut off before each effect, the end is the same', { timeout: 120_000 }, async () => {
    const config = (keys: object) => ({ process: longRun(), config: { systemd: keys } })
    const before = config({ dropIns: limits('Nice', 'OOMScoreAdjust'), timer: { OnCalendar: 'daily' } })
    const after = config({ dropIns: limits('Nice') })
    for (let last = 0, isOver = false; !isOver; last += 1) {
      await using lab = await createSystemdLab()
      lab.declareUnit('web', before)
      await lab.apply()
      lab.declareUnit('web', after)
      let count = 0
      const onEffect = ({ target }: Effect, phase: string): void => {
        if (phase === 'after' || !/^\/etc\/systemd|systemd1/.test(target)) return
        count += 1
        if (count > last) throw new Error('cut off')
      }
      const session = await lab.open({ createWriteHost: options => createWriteHost({ ...options, onEffect }) })
      isOver = (await lab.apply({ session })).failed.length === 0
      await expectDone(lab)
      expect([files(), inForce('web'), property('web', 'ActiveState')], `after ${last} effects`).toEqual([
        ['web.service', 'web.service.d'],
        ['5', '0'],
        'active',
      ])
      expect(systemctl('is-enabled', 'web')).toBe('enabled')
    }
  })
})
