import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createConnection } from 'node:net'
import { describe, expect, test } from 'vitest'
import { eventually } from '../../src/conformance/eventually.ts'
import { planOf, stepsOf } from '../labs/engine-lab.ts'
import { createSystemdLab, property, systemctl } from '../systemd-lab/engine.ts'

const units = '/etc/systemd/system'

describe.skipIf(process.env.REEVE_MACHINE === undefined)('an activation unit', () => {
  test('of kind socket is enabled and started in place of the service, which a connection starts', async () => {
    await using lab = await createSystemdLab()
    const spec = (path: string) => ({
      process: { command: ['/bin/sh', '-c', 'echo came >> /tmp/came; exec sleep 1000000'] },
      config: { systemd: { socket: { ListenStream: path } } },
    })
    lab.declareUnit('door', spec('/run/door'))
    await lab.apply()
    expect(systemctl('is-enabled', 'door.socket')).toBe('enabled')
    expect([property('door.socket', 'ActiveState'), property('door', 'ActiveState')]).toEqual(['active', 'inactive'])
    expect(await lab.observe('door')).toMatchObject({ state: 'running', enabled: true })
    expect(stepsOf(await lab.plan())).toEqual([])

    // This service doesn't accept connections; a connection attempt is enough.
    const visitor = createConnection('/run/door')
    visitor.on('error', () => visitor.destroy()).end()
    await eventually('the service to run', () => property('door', 'ActiveState') === 'active')
    expect(await lab.observe('door')).toMatchObject({ pid: Number(property('door', 'MainPID')) })
    expect(stepsOf(await lab.plan())).toEqual([])

    // While its service runs, a stopped socket can't simply be started again.
    systemctl('stop', 'door.socket')
    expect(stepsOf(await lab.plan())).toEqual(['door/start'])
    expect(await lab.apply()).toMatchObject({ failed: [], notReady: [] })
    expect([property('door.socket', 'ActiveState'), property('door', 'ActiveState')]).toEqual(['active', 'inactive'])
    expect(stepsOf(await lab.plan())).toEqual([])

    lab.declareUnit('door', spec('/run/gate'))
    await lab.apply()
    expect([existsSync('/run/gate'), property('door', 'ActiveState')]).toEqual([true, 'inactive'])
    expect(stepsOf(await lab.plan())).toEqual([])

    lab.declareUnit('door', { ...spec('/run/gate'), state: 'stopped', enabled: false })
    await lab.apply()
    expect(property('door.socket', 'ActiveState')).toBe('inactive')
    expect(systemctl('is-enabled', 'door.socket')).toBe('disabled')
    expect(stepsOf(await lab.plan())).toEqual([])

    lab.withdraw('door')
    await lab.apply()
    expect([existsSync(`${units}/door.socket`), existsSync(`${units}/door.service`)]).toEqual([false, false])
  })

  test('of kind socket and one of kind timer are both enabled, started, stopped and repaired', async () => {
    await using lab = await createSystemdLab()
    const spec = (more: object = {}) => ({
      process: { command: ['/bin/sleep', '1000000'] },
      config: { systemd: { socket: { ListenStream: '/run/both' }, timer: { OnCalendar: 'yearly' } } },
      ...more,
    })
    const names = ['both.socket', 'both.timer']
    const states = (): string[] =>
      names.map(name => `${systemctl('is-enabled', name)} ${property(name, 'ActiveState')}`)
    lab.declareUnit('both', spec())
    await lab.apply()
    expect(states()).toEqual(['enabled active', 'enabled active'])
    expect(stepsOf(await lab.plan())).toEqual([])
    for (const name of names) {
      systemctl('disable', '--now', name)
      expect(stepsOf(await lab.plan())).toEqual(['both/enable', 'both/start'])
      await lab.apply()
      expect(states()).toEqual(['enabled active', 'enabled active'])
      expect(stepsOf(await lab.plan())).toEqual([])
    }

    lab.declareUnit('both', spec({ enabled: false, state: 'stopped' }))
    for (const name of names) {
      systemctl('enable', '--now', name)
      await lab.apply()
      expect(states()).toEqual(['disabled inactive', 'disabled inactive'])
      expect(stepsOf(await lab.plan())).toEqual([])
    }
  })

  test('of kind timer runs its job repeatedly', async () => {
    await using lab = await createSystemdLab()
    const command = ['/bin/sh', '-c', 'echo tick >> /tmp/ticks']
    lab.declareUnit('tick', {
      process: { command, restart: { policy: 'never' } },
      config: {
        systemd: {
          unit: { Service: { Type: 'oneshot', RemainAfterExit: null } },
          timer: { OnActiveSec: '100ms', OnUnitActiveSec: '100ms', AccuracySec: '10ms' },
        },
      },
    })
    await lab.apply()
    expect(systemctl('is-enabled', 'tick.timer')).toBe('enabled')
    await eventually('three ticks', () => existsSync('/tmp/ticks') && readFileSync('/tmp/ticks', 'utf8').length >= 15)
    expect(stepsOf(await lab.plan())).toEqual([])
    systemctl('stop', 'tick.timer')
    expect(stepsOf(await lab.plan())).toEqual(['tick/start'])
  })

  const timed = (more: object = {}) => ({
    process: { command: ['/bin/sleep', '1000000'] },
    config: { systemd: { timer: { OnCalendar: 'yearly' } } },
    ...more,
  })

  test('E8: does not shadow a packaged timer, disabled or masked, without a service of its name', async () => {
    const packaged = '/lib/systemd/system/rotate.timer'
    const masked = '/run/systemd/system/masked.timer'
    writeFileSync(packaged, '[Timer]\nOnCalendar=monthly\nUnit=ssh.service\n')
    mkdirSync('/run/systemd/system', { recursive: true })
    symlinkSync('/dev/null', masked)
    systemctl('daemon-reload')
    try {
      await using lab = await createSystemdLab()
      for (const name of ['rotate', 'masked']) {
        lab.declareUnit(name, timed())
        const { plan, stepsDone } = await lab.apply()
        expect(planOf(plan, name)?.blocked).toBe(
          `${units}/${name}.timer would take the place of ${name}.timer, which is not managed by Reeve: ` +
            'declare adopt: true to take it over, or another serviceName',
        )
        expect([stepsDone, existsSync(`${units}/${name}.timer`)]).toEqual([0, false])
        lab.withdraw(name)
      }
      // The service alone replaces nobody; a timer that is added later would.
      lab.declareUnit('rotate', { process: timed().process })
      expect(await lab.apply()).toMatchObject({ failed: [], notReady: [] })
      lab.declareUnit('rotate', timed())
      expect(planOf((await lab.apply()).plan, 'rotate')?.blocked).toMatch('would take the place of rotate.timer')
      lab.declareUnit('rotate', timed({ adopt: true }))
      expect(await lab.apply()).toMatchObject({ failed: [], notReady: [] })
      expect(property('rotate.timer', 'FragmentPath')).toBe(`${units}/rotate.timer`)
      lab.declareUnit('rotate', timed())
      expect(stepsOf(await lab.plan())).toEqual([])
    } finally {
      rmSync(packaged)
      rmSync(masked)
    }
  })

  test('E8: does not overwrite a timer or drop-in that somebody made for a service of ours', async () => {
    await using lab = await createSystemdLab()
    const { process } = timed()
    lab.declareUnit('mine', { process })
    await lab.apply()
    const dropIn = `${units}/mine.service.d/limits.conf`
    mkdirSync(`${units}/mine.service.d`)
    const theirs = { [`${units}/mine.timer`]: '[Timer]\nOnCalendar=monthly\n', [dropIn]: '[Service]\nMemoryMax=1G\n' }
    for (const [path, text] of Object.entries(theirs)) writeFileSync(path, text)
    try {
      const laidOver = { process, config: { systemd: { dropIns: { limits: { Service: { MemoryMax: '1M' } } } } } }
      for (const spec of [timed(), laidOver]) {
        lab.declareUnit('mine', spec)
        const { plan, stepsDone } = await lab.apply()
        expect(planOf(plan, 'mine')?.blocked).toMatch(/would take the place of .*not managed by Reeve/)
        expect(stepsDone).toBe(0)
      }
      for (const [path, text] of Object.entries(theirs)) expect(readFileSync(path, 'utf8')).toBe(text)
    } finally {
      for (const path of Object.keys(theirs)) rmSync(path)
    }
  })
})
