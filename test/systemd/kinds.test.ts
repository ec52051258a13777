import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { eventually, LONG_RUN } from '../../src/conformance/lab.ts'
import { longRun, planOf, stepsOf } from '../engine-lab.ts'
import { createSystemdLab, property, systemctl } from '../systemd-lab/engine.ts'

const run = `ExecStart=${LONG_RUN.join(' ')}`
const wanted = '[Install]\nWantedBy=multi-user.target\n'

/** Units that come from elsewhere than a unit directory, and what stands beside units. */
describe.skipIf(process.env.REEVE_MACHINE === undefined)('units that others make', () => {
  test('a generated unit is started and stopped, and can not be enabled', async () => {
    await using lab = await createSystemdLab()
    const generator = '/etc/systemd/system-generators/odd'
    mkdirSync('/etc/systemd/system-generators', { recursive: true })
    writeFileSync(
      generator,
      `#!/bin/sh\nprintf '[Service]\\n${run}\\n${wanted.replaceAll('\n', '\\n')}' > "$1/odd.service"\n`,
    )
    chmodSync(generator, 0o755)
    systemctl('daemon-reload')
    lab.declareUnit('odd', {})
    expect(planOf(await lab.plan(), 'odd')?.blocked).toMatch(
      /systemd made it by itself .*generator.*enabled: unmanaged/,
    )
    lab.declareUnit('odd', { enabled: 'unmanaged' })
    await lab.apply()
    expect(property('odd', 'ActiveState')).toBe('active')
    expect(stepsOf(await lab.plan())).toEqual([])
    lab.declareUnit('odd', { enabled: 'unmanaged', state: 'stopped' })
    await lab.apply()
    expect(property('odd', 'ActiveState')).toBe('inactive')
    rmSync(generator)
  })

  test('a transient unit is stopped, and then there is none', async () => {
    await using lab = await createSystemdLab()
    systemctl('reset-failed')
    expect(spawnSync('systemd-run', ['--unit=odd', ...LONG_RUN]).status).toBe(0)
    lab.declareUnit('odd', {})
    expect(planOf(await lab.plan(), 'odd')?.blocked).toMatch(/systemd made it by itself .*transient/)
    lab.declareUnit('odd', { enabled: 'unmanaged', state: 'stopped' })
    expect(stepsOf(await lab.plan())).toEqual(['odd/stop'])
    await lab.apply()
    expect(await lab.observe('odd')).toMatchObject({ state: 'absent' })
    expect(stepsOf(await lab.plan())).toEqual([])
  })

  test('a unit that is linked in is enabled and disabled, and stays linked', async () => {
    await using lab = await createSystemdLab()
    mkdirSync('/opt/odd', { recursive: true })
    writeFileSync('/opt/odd/odd.service', `[Service]\n${run}\n${wanted}`)
    systemctl('link', '/opt/odd/odd.service')
    expect(systemctl('is-enabled', 'odd')).toBe('linked')
    lab.declareUnit('odd', {})
    await lab.apply()
    expect([systemctl('is-enabled', 'odd'), property('odd', 'ActiveState')]).toEqual(['enabled', 'active'])
    expect(stepsOf(await lab.plan())).toEqual([])
    lab.declareUnit('odd', { enabled: false })
    await lab.apply()
    expect([systemctl('is-enabled', 'odd'), property('odd', 'ActiveState')]).toEqual(['linked', 'active'])
    expect(stepsOf(await lab.plan())).toEqual([])
    systemctl('stop', 'odd')
  })

  test('a unit whose conditions are not met is told of, and not started in vain', async () => {
    await using lab = await createSystemdLab()
    lab.place('odd.service', `[Unit]\nConditionPathExists=/nowhere\n[Service]\n${run}\n`)
    lab.declareUnit('odd', { enabled: 'unmanaged' })
    const { failed } = await lab.apply()
    expect(failed).toEqual([{ facility: 'odd', message: expect.stringContaining('ConditionPathExists=/nowhere') }])
  })

  test("somebody else's drop-ins are named in the status", async () => {
    await using lab = await createSystemdLab()
    const theirs = '/etc/systemd/system/web.service.d/theirs.conf'
    const config = { systemd: { dropIns: { ours: { Service: { MemoryMax: '1G' } } } } }
    lab.declareUnit('web', { process: longRun(), config })
    const controller = await lab.run()
    expect(await controller.ready('web')).not.toHaveProperty('overrides')
    writeFileSync(theirs, '[Service]\nMemoryMax=2G\n')
    await eventually('it to be seen', async () => (await controller.status('web'))?.overrides?.join() === theirs)
  })

  test('where neither socket answers, systemctl has no other way either, and that is said', async () => {
    await using lab = await createSystemdLab()
    lab.declareUnit('web', { process: longRun() })
    await lab.apply()
    const sockets = ['/run/dbus/system_bus_socket', '/run/systemd/private']
    for (const socket of sockets) renameSync(socket, `${socket}.away`)
    try {
      for (const words of [['list-units'], ['start', 'web'], ['show', 'web'], ['is-active', 'web']]) {
        const { status, stderr } = spawnSync('systemctl', words, { encoding: 'utf8' })
        expect([words, status === 0, stderr]).toEqual([
          words,
          false,
          expect.stringContaining('Failed to connect to bus'),
        ])
      }
      const blocked = planOf(await lab.plan(), 'web')?.blocked
      for (const words of [...sockets, 'by systemctl neither']) expect(blocked).toContain(words)
    } finally {
      for (const socket of sockets) renameSync(`${socket}.away`, socket)
    }
    expect(stepsOf(await lab.plan())).toEqual([])
    expect(existsSync('/etc/systemd/system/web.service')).toBe(true)
  })
})
