import { existsSync, readdirSync, readlinkSync, rmSync, symlinkSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { LONG_RUN } from '../../src/conformance/lab.ts'
import { longRun, planOf, stepsOf } from '../labs/engine-lab.ts'
import { createSystemdLab, systemctl } from '../systemd-lab/engine.ts'

const units = '/etc/systemd/system'
const run = `[Service]\nExecStart=${LONG_RUN.join(' ')}\n`

/** Enablement at boot is read from links, as systemd creates and reads them. */
describe.skipIf(process.env.REEVE_MACHINE === undefined)('links of [Install]', () => {
  const specifiers = [
    { unit: 'odd-many@one', install: 'WantedBy=on-%i.target %j.target\nAlias=nick-%p@%i.service', file: 'odd-many@' },
    { unit: 'odd', install: 'WantedBy=a-%n.target b-%N.target', file: 'odd' },
    { unit: 'odd', install: 'WantedBy=multi-user.target host-%H.target', file: 'odd' },
  ]
  for (const { unit, install, file } of specifiers) {
    test(`are recognized with specifiers: ${install.replaceAll('\n', ' ')}`, async () => {
      await using lab = await createSystemdLab()
      lab.place(`${file}.service`, `${run}[Install]\n${install}\n`)
      lab.declareUnit(unit, {})
      await lab.apply()
      expect(systemctl('is-enabled', unit)).toBe('enabled')
      expect(await lab.observe(unit)).toMatchObject({ enabled: true })
      expect(stepsOf(await lab.plan())).toEqual([])
      lab.declareUnit(unit, { enabled: false })
      await lab.apply()
      expect(systemctl('is-enabled', unit)).toBe('disabled')
      expect(await lab.observe(unit)).toMatchObject({ enabled: false })
    })
  }

  test('whose names only systemd knows cause no repeated steps', async () => {
    await using lab = await createSystemdLab()
    lab.place('odd.service', `${run}[Install]\nWantedBy=host-%H.target\n`)
    lab.declareUnit('odd', {})
    expect(planOf(await lab.plan(), 'odd')?.blocked).toMatch(/only systemd knows: host-%H\.target.*enabled: unmanaged/)
  })

  test('that exist in part are neither enabled nor disabled, and either is applied', async () => {
    await using lab = await createSystemdLab()
    lab.place(
      'odd.service',
      `${run}[Install]\nWantedBy=multi-user.target\nRequiredBy=timers.target\nAlias=nick.service\n`,
    )
    const there = (): string[] => [
      ...readdirSync(units).filter(name => name === 'nick.service'),
      ...['multi-user.target.wants', 'timers.target.requires'].filter(folder =>
        existsSync(`${units}/${folder}/odd.service`),
      ),
    ]
    for (const enabled of [true, false]) {
      systemctl('enable', 'odd')
      rmSync(`${units}/timers.target.requires/odd.service`)
      lab.declareUnit('odd', { enabled, state: 'stopped' })
      expect(stepsOf(await lab.plan())).toEqual([`odd/${enabled ? 'enable' : 'disable'}`])
      await lab.apply()
      expect(there()).toHaveLength(enabled ? 3 : 0)
      expect(stepsOf(await lab.plan())).toEqual([])
    }
  })

  test('E8: an alias that leads to another unit is not ours, and is left to it', async () => {
    await using lab = await createSystemdLab()
    lab.place('odd.service', `${run}[Install]\nWantedBy=multi-user.target\nAlias=nick.service\n`)
    lab.place('other.service', run)
    symlinkSync(`${units}/other.service`, `${units}/nick.service`)
    systemctl('daemon-reload')
    lab.declareUnit('odd', {})
    expect((await lab.apply()).failed).toEqual([
      { facility: 'odd', message: expect.stringMatching(/nick\.service.*leads to .*other\.service/) },
    ])
    expect(readlinkSync(`${units}/nick.service`)).toBe(`${units}/other.service`)
    rmSync(`${units}/nick.service`)
    expect(await lab.apply()).toMatchObject({ failed: [], notReady: [] })
    expect(readlinkSync(`${units}/nick.service`)).toBe(`${units}/odd.service`)
    expect(stepsOf(await lab.plan())).toEqual([])
  })

  test('that a new [Install] no longer lists are removed, and no others', async () => {
    await using lab = await createSystemdLab()
    const asks = (Install: object, enabled: boolean | string = true) => ({
      process: longRun(),
      enabled,
      config: { systemd: { unit: { Install } } },
    })
    const links = (): string[] =>
      ['multi-user.target.wants/web.service', 'timers.target.wants/web.service', 'nick.service'].filter(name =>
        existsSync(`${units}/${name}`),
      )
    const both = { WantedBy: ['multi-user.target', 'timers.target'], Alias: 'nick.service' }
    lab.declareUnit('web', asks(both))
    await lab.apply()
    expect(links()).toHaveLength(3)
    systemctl('add-wants', 'sockets.target', 'web.service')

    for (const [Install, left] of [
      [{ ...both, Alias: null }, ['multi-user.target.wants/web.service', 'timers.target.wants/web.service']],
      [{ WantedBy: 'multi-user.target' }, ['multi-user.target.wants/web.service']],
    ] as const) {
      lab.declareUnit('web', asks(Install))
      await lab.apply()
      expect([links(), systemctl('is-enabled', 'web')]).toEqual([left, 'enabled'])
      expect(stepsOf(await lab.plan())).toEqual([])
    }
    expect(existsSync(`${units}/sockets.target.wants/web.service`)).toBe(true)

    // If others enabled it, it stays enabled under the new name.
    lab.declareUnit('web', asks({ WantedBy: 'timers.target' }, 'unmanaged'))
    await lab.apply()
    expect([links(), systemctl('is-enabled', 'web')]).toEqual([['timers.target.wants/web.service'], 'enabled'])
    systemctl('disable', 'web')
    lab.declareUnit('web', asks(both, 'unmanaged'))
    await lab.apply()
    expect(links()).toEqual([])
  })
})
