import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { eventually } from '../../src/conformance/eventually.ts'
import { LONG_RUN } from '../../src/conformance/lab.ts'
import { createDirectControl } from '../../src/engine/control/direct-control.ts'
import type { Effect } from '../../src/host/effects.ts'
import { createWriteHost } from '../../src/host/write-host.ts'
import { longRun, planOf, stepsOf } from '../labs/engine-lab.ts'
import { createSystemdLab, property, systemctl } from '../systemd-lab/engine.ts'

const run = `ExecStart=${LONG_RUN.join(' ')}`

/** Kinds of units, and their states. */
describe.skipIf(process.env.REEVE_MACHINE === undefined)('a unit file state is respected:', () => {
  const fixed = [
    { kind: 'static', text: `[Service]\n${run}\n`, message: /static/ },
    { kind: 'indirect', text: `[Service]\n${run}\n[Install]\nAlso=dbus.socket\n`, message: /indirect/ },
  ]
  for (const { kind, text, message } of fixed) {
    test(`a ${kind} unit declared enabled is blocked, and the message says so`, async () => {
      await using lab = await createSystemdLab()
      lab.place('odd.service', text)
      lab.declareUnit('odd', {})
      const blocked = planOf(await lab.plan(), 'odd')?.blocked
      expect(blocked).toMatch(message)
      expect(blocked).toContain('enabled: unmanaged')
      lab.declareUnit('odd', { enabled: 'unmanaged' })
      await lab.apply()
      expect(property('odd', 'ActiveState')).toBe('active')
      expect(stepsOf(await lab.plan())).toEqual([])
    })
  }

  test('a masked unit is blocked, and never unmasked', async () => {
    await using lab = await createSystemdLab()
    lab.place('odd.service', `[Service]\n${run}\n`, '/usr/lib/systemd/system')
    systemctl('mask', 'odd')
    lab.declareUnit('odd', {})
    expect(planOf(await lab.plan(), 'odd')?.blocked).toMatch(/masked/)
    lab.declareUnit('odd', { enabled: 'unmanaged' })
    const { failed } = await lab.apply()
    expect(failed[0]?.message).toMatch(/masked/)
    rmSync('/usr/lib/systemd/system/odd.service')
  })

  test('an empty unit file counts as masked', async () => {
    await using lab = await createSystemdLab()
    lab.place('odd.service', '')
    lab.declareUnit('odd', {})
    expect(planOf(await lab.plan(), 'odd')?.blocked).toMatch(/masked/)
  })

  test('an alias stands for its unit', async () => {
    await using lab = await createSystemdLab()
    lab.place('real.service', `[Service]\n${run}\n[Install]\nWantedBy=multi-user.target\n`)
    symlinkSync('/etc/systemd/system/real.service', '/etc/systemd/system/nick.service')
    systemctl('daemon-reload')
    lab.declareUnit('nick', {})
    await lab.apply()
    expect([property('real', 'ActiveState'), systemctl('is-enabled', 'real')]).toEqual(['active', 'enabled'])
    expect(await lab.observe('nick')).toMatchObject({ state: 'running', enabled: true })
    expect(stepsOf(await lab.plan())).toEqual([])
  })

  test('an instance is enabled and disabled without its siblings', async () => {
    await using lab = await createSystemdLab()
    lab.place('many@.service', `[Service]\n${run}\n[Install]\nWantedBy=multi-user.target\n`)
    lab.declareUnit('many@one', {})
    lab.declareUnit('many@two', {})
    await lab.apply()
    expect([systemctl('is-enabled', 'many@one'), systemctl('is-active', 'many@two')]).toEqual(['enabled', 'active'])
    lab.declareUnit('many@one', { enabled: false, state: 'stopped' })
    await lab.apply()
    expect(systemctl('is-enabled', 'many@one')).toBe('disabled')
    expect([systemctl('is-enabled', 'many@two'), systemctl('is-active', 'many@two')]).toEqual(['enabled', 'active'])
    expect(stepsOf(await lab.plan())).toEqual([])
  })

  test('enabled until the next boot is not enabled', async () => {
    await using lab = await createSystemdLab()
    lab.place('odd.service', `[Service]\n${run}\n[Install]\nWantedBy=multi-user.target\n`)
    systemctl('enable', '--runtime', 'odd')
    lab.declareUnit('odd', {})
    await lab.apply()
    expect(systemctl('is-enabled', 'odd')).toBe('enabled')
    systemctl('disable', '--runtime', 'odd')
  })

  test('a changed [Install] section is enabled again', async () => {
    await using lab = await createSystemdLab()
    const wanted = (target: string) => ({ systemd: { unit: { Install: { WantedBy: target } } } })
    lab.declareUnit('web', { process: longRun(), config: wanted('multi-user.target') })
    await lab.apply()
    lab.declareUnit('web', { process: longRun(), config: wanted('timers.target') })
    await lab.apply()
    expect(existsSync('/etc/systemd/system/timers.target.wants/web.service')).toBe(true)
    expect(existsSync('/etc/systemd/system/multi-user.target.wants/web.service')).toBe(false)
    expect(stepsOf(await lab.plan())).toEqual([])
  })

  test('a oneshot with RemainAfterExit is running, and is stopped by its own command', async () => {
    await using lab = await createSystemdLab()
    const text = '[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\nExecStop=/bin/touch /tmp/stopped\n'
    lab.declareUnit('rules', { enabled: 'unmanaged', config: { systemd: { text } } })
    await lab.apply()
    expect(await lab.observe('rules')).toMatchObject({ state: 'running' })
    expect(stepsOf(await lab.plan())).toEqual([])
    lab.declareUnit('rules', { enabled: 'unmanaged', state: 'stopped', config: { systemd: { text } } })
    await lab.apply()
    expect(existsSync('/tmp/stopped')).toBe(true)
  })

  test('a completed job is not run again, though it is not enabled', async () => {
    await using lab = await createSystemdLab()
    const command = ['/bin/sh', '-c', 'echo done >> /tmp/job']
    lab.declareUnit('job', { enabled: false, process: { command, restart: { policy: 'never' } } })
    await lab.apply()
    await eventually('the job to be over', async () => (await lab.observe('job')).completed === true)
    expect(stepsOf(await lab.plan())).toEqual([])
  })

  test('a oneshot that systemd forgets when it has ended runs once per definition', async () => {
    await using lab = await createSystemdLab()
    const runs = (name: string): number => readFileSync(`/tmp/${name}-runs`, 'utf8').length
    const own = (mark: string) => ({
      enabled: false,
      process: { command: ['/bin/sh', '-c', `: ${mark}; printf x >> /tmp/own-runs`], restart: { policy: 'never' } },
      config: { systemd: { unit: { Service: { Type: 'oneshot', RemainAfterExit: null } } } },
    })
    const theirs = (mark: string) =>
      `[Service]\nType=oneshot\nExecStart=/bin/sh -c ": ${mark}; printf x >> /tmp/theirs-runs"\n`
    lab.place('theirs.service', theirs('one'))
    lab.declareUnit('theirs', { enabled: 'unmanaged' })
    lab.declareUnit('own', own('one'))
    expect(await lab.apply()).toMatchObject({ failed: [], notReady: [] })
    expect([property('own', 'ActiveState'), runs('own'), runs('theirs')]).toEqual(['inactive', 1, 1])
    expect(stepsOf(await lab.plan())).toEqual([])

    lab.place('theirs.service', theirs('two'))
    lab.declareUnit('own', own('two'))
    expect(stepsOf(await lab.plan())).toEqual(['own/install', 'own/start', 'theirs/start'])
    await lab.apply()
    expect([runs('own'), runs('theirs')]).toEqual([2, 2])
    expect(stepsOf(await lab.plan())).toEqual([])

    lab.withdraw('own')
    await lab.apply()
    lab.declareUnit('own', own('two'))
    await lab.apply()
    expect(runs('own')).toBe(3)
  })

  test('a failed oneshot is not completed', async () => {
    await using lab = await createSystemdLab()
    const text = '[Service]\nType=oneshot\nExecStart=/bin/sh -c "test -e /tmp/may-pass"\n'
    lab.declareUnit('job', { enabled: 'unmanaged', config: { systemd: { text } } })
    expect((await lab.apply()).failed).toHaveLength(1)
    systemctl('reset-failed', 'job')
    expect(stepsOf(await lab.plan())).toEqual(['job/start'])
    writeFileSync('/tmp/may-pass', '')
    await lab.apply()
    expect(await lab.observe('job')).toMatchObject({ completed: true })
    expect(stepsOf(await lab.plan())).toEqual([])
  })

  test('a unit kept as a file beside the manifests runs, and is restarted when it changes', async () => {
    await using lab = await createSystemdLab()
    const text = (mark: number) => `[Service]\nExecStart=/bin/sleep ${mark}\n[Install]\nWantedBy=multi-user.target\n`
    lab.write('web.service', text(1_000_001))
    lab.declareUnit('web', { config: { systemd: { source: './web.service' } } })
    await lab.apply()
    const pid = property('web', 'MainPID')
    expect([property('web', 'ActiveState'), systemctl('is-enabled', 'web')]).toEqual(['active', 'enabled'])
    expect(stepsOf(await lab.plan())).toEqual([])
    lab.write('web.service', text(1_000_002))
    expect(stepsOf(await lab.plan())).toEqual(['web/install', 'web/restart'])
    await lab.apply()
    expect(property('web', 'MainPID')).not.toBe(pid)
    expect(stepsOf(await lab.plan())).toEqual([])
  })

  test('E4: a deleted unit that systemd still remembers is no obstacle', async () => {
    await using lab = await createSystemdLab()
    lab.declareUnit('web', { process: longRun() })
    await lab.apply()
    // As after an interrupted removal: its target has read that it wants the unit, and keeps it loaded.
    systemctl('daemon-reload')
    systemctl('stop', 'web')
    rmSync('/etc/systemd/system/multi-user.target.wants/web.service')
    rmSync('/etc/systemd/system/web.service')
    expect(property('web', 'LoadState')).toBe('loaded')
    expect(await lab.observe('web')).toMatchObject({ state: 'absent' })
    expect(stepsOf(await lab.plan())).toEqual(['web/install', 'web/enable', 'web/start'])
    await lab.apply()
    expect(property('web', 'ActiveState')).toBe('active')
  })

  test('a drop-in directory created by somebody else is in force at the next start, without a daemon-reload', async () => {
    await using lab = await createSystemdLab()
    lab.declareUnit('web', { process: longRun(), state: 'stopped' })
    await lab.apply()
    systemctl('start', 'web.service')
    mkdirSync('/etc/systemd/system/web.service.d')
    writeFileSync('/etc/systemd/system/web.service.d/theirs.conf', '[Service]\nEnvironment=THEIRS=here\n')
    // systemd doesn't notice by itself.
    expect(property('web.service', 'NeedDaemonReload')).toBe('no')
    const control = createDirectControl(await lab.open())
    await control.act('restart', 'web', { suspend: true })
    const { pid } = await lab.observe('web')
    expect(readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0')).toContain('THEIRS=here')
  })

  test('E4: a unit that was written but not loaded is loaded before a reload', async () => {
    await using lab = await createSystemdLab()
    const spec = (...names: string[]) => ({
      process: { command: ['/bin/sh', '-c', 'trap : HUP; while :; do sleep 0.1; done'], reload: { signal: 'HUP' } },
      files: names.map(name => ({ path: `/etc/${name}.conf`, content: names.join(), onChange: 'reload' })),
    })
    lab.declareUnit('web', spec('a'))
    await lab.apply()
    lab.declareUnit('web', spec('a', 'b'))
    const onEffect = ({ target }: Effect): void => {
      if (target.endsWith(' Reload')) throw new Error('cut off')
    }
    const session = await lab.open({ createWriteHost: options => createWriteHost({ ...options, onEffect }) })
    expect((await lab.apply({ session })).failed).toHaveLength(1)
    await lab.apply()
    expect(stepsOf(await lab.plan())).toEqual([])
  })

  test('a unit that loses its ExecReload in a change with onChange reload is restarted', async () => {
    await using lab = await createSystemdLab()
    const declare = (more: string): void => {
      const text = `[Service]\n${run}\n${more}`
      lab.declareUnit('web', { enabled: 'unmanaged', onChange: 'reload', config: { systemd: { text } } })
    }
    declare('ExecReload=/bin/true\n')
    await lab.apply()
    for (const more of ['', 'Nice=1\n', 'ExecReload=/bin/true\nExecReload=\n']) {
      const pid = property('web', 'MainPID')
      declare(more)
      expect(await lab.apply(), more).toMatchObject({ failed: [], notReady: [] })
      expect([property('web', 'MainPID') === pid, stepsOf(await lab.plan())], more).toEqual([false, []])
    }
  })

  for (const whose of ['theirs', 'ours']) {
    test(`E3: a drop-in (${whose}) that resets all variables causes no repeated restarts`, async () => {
      await using lab = await createSystemdLab()
      const reset = '[Service]\nEnvironment=\nEnvironment=A=b\n'
      const declare = (mark: number): void => {
        const config = whose === 'ours' ? { systemd: { dropIns: { zz: reset } } } : {}
        lab.declareUnit('web', { process: longRun(mark), config })
      }
      declare(1)
      await lab.apply()
      if (whose === 'theirs') {
        expect(stepsOf(await lab.plan())).toEqual([])
        mkdirSync('/etc/systemd/system/web.service.d')
        lab.place('web.service.d/theirs.conf', reset)
        systemctl('restart', 'web')
      }
      expect(stepsOf(await lab.plan())).toEqual([])
      declare(2)
      expect(stepsOf(await lab.plan())).toEqual(['web/install', 'web/restart'])
      await lab.apply()
      expect(stepsOf(await lab.plan())).toEqual([])
      // E4: as after a crash between the write and the restart.
      declare(3)
      const onEffect = ({ target }: Effect): void => {
        if (target.endsWith(' RestartUnit')) throw new Error('cut off')
      }
      const session = await lab.open({ createWriteHost: options => createWriteHost({ ...options, onEffect }) })
      expect((await lab.apply({ session })).failed).toHaveLength(1)
      expect(stepsOf(await lab.plan())).toEqual(['web/restart'])
    })
  }

  test('a reload neither finds nor starts a stopped unit', async () => {
    await using lab = await createSystemdLab()
    lab.declareUnit('web', { process: { ...longRun(), reload: { signal: 'HUP' } } })
    await lab.apply()
    const onEffect = ({ target }: Effect, phase: string): void => {
      if (phase === 'before' && target.includes('KillUnit')) systemctl('stop', 'web')
    }
    const session = await lab.open({ createWriteHost: options => createWriteHost({ ...options, onEffect }) })
    await createDirectControl(session).act('reload', 'web')
    expect(property('web', 'ActiveState')).toBe('inactive')
  })

  test('E7: a unit that cannot be read is unknown, and no other is', async () => {
    await using lab = await createSystemdLab()
    mkdirSync('/etc/systemd/system/odd.service')
    lab.declareUnit('odd', {})
    lab.declareUnit('web', { process: longRun() })
    await lab.apply()
    expect(property('web', 'ActiveState')).toBe('active')
    expect(await lab.observe('web')).toMatchObject({ state: 'running' })
    expect(await lab.observe('odd')).toMatchObject({
      state: 'unknown',
      message: expect.stringContaining('odd.service'),
    })
    expect(planOf(await lab.plan(), 'odd')).toMatchObject({ steps: [] })
  })

  test('a unit that waits to be restarted is started at once by a manual apply', async () => {
    await using lab = await createSystemdLab()
    lab.declareUnit('web', { process: { command: ['/bin/sh', '-c', 'exit 7'], restart: { delay: '1h' } } })
    await lab.apply()
    const observed = await lab.observe('web')
    expect(observed).toMatchObject({
      state: 'starting',
      exit: { code: 7 },
      message: expect.stringMatching(/code 7.*waits/),
    })
    expect(stepsOf(await lab.plan())).toEqual(['web/start'])
  })

  test('one daemon-reload is enough for everything written together', async () => {
    await using lab = await createSystemdLab()
    const reloads: string[] = []
    const onEffect = ({ target }: Effect, phase: string): void => {
      if (phase === 'before' && target.endsWith(' Reload')) reloads.push(target)
    }
    for (let mark = 0; mark < 20; mark += 1) lab.declareUnit(`s${mark}`, { process: longRun(mark), state: 'stopped' })
    const session = await lab.open({ createWriteHost: options => createWriteHost({ ...options, onEffect }) })
    expect(await lab.apply({ session })).toMatchObject({ failed: [], notReady: [] })
    expect(reloads).toHaveLength(1)
  })
})
