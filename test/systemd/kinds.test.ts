import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { eventually } from '../../src/conformance/eventually.ts'
import { LONG_RUN } from '../../src/conformance/lab.ts'
import { createDirectControl } from '../../src/engine/control/direct-control.ts'
import { longRun, planOf, stepsOf } from '../labs/engine-lab.ts'
import { createSystemdLab, property, systemctl } from '../systemd-lab/engine.ts'

const run = `ExecStart=${LONG_RUN.join(' ')}`
const wanted = '[Install]\nWantedBy=multi-user.target\n'

/** Units from elsewhere than a unit directory, and files beside units. */
describe.skipIf(process.env.REEVE_MACHINE === undefined)('units of other origin:', () => {
  test('a generated unit is started and stopped, and cannot be enabled', async () => {
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

  test('a transient unit is stopped, and then absent', async () => {
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

  test('a linked unit is enabled and disabled, and stays linked', async () => {
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

  for (const [what, condition, service] of [
    ['runs on', 'ConditionPathExists=/nowhere', `${run}\n`],
    ['is written with spaces', '  ConditionPathExists = /nowhere', `${run}\n`],
    [
      'is a oneshot, which systemd forgets',
      'ConditionPathExists=/nowhere',
      'Type=oneshot\nExecStart=/bin/touch /tmp/ran\n',
    ],
    ['is decided by a program', '', 'Type=oneshot\nExecCondition=/bin/false\nExecStart=/bin/touch /tmp/ran\n'],
  ] as const) {
    test(`PITFALLS 14: a unit with failed conditions, that ${what}, is reported, and does not count as started`, async () => {
      await using lab = await createSystemdLab()
      lab.place('odd.service', `[Unit]\n${condition}\n[Service]\n${service}`)
      lab.declareUnit('odd', { enabled: 'unmanaged' })
      const said = condition === '' ? 'ExecCondition=/bin/false' : condition.trim()
      // A second time too: the result of the first start is not taken for that of the next.
      for (let count = 0; count < 2; count += 1) {
        const { failed } = await lab.apply()
        expect(failed).toEqual([{ facility: 'odd', message: expect.stringContaining(`not met: ${said}`) }])
        expect(await lab.observe('odd')).not.toHaveProperty('completed')
        expect(stepsOf(await lab.plan())).toEqual(['odd/start'])
      }
      expect(existsSync('/tmp/ran')).toBe(false)
    })
  }

  test('PITFALLS 14: an alias and an instance with failed conditions are reported too', async () => {
    await using lab = await createSystemdLab()
    for (const name of ['odd-unit@', 'real']) {
      lab.place(
        `${name}.service`,
        '[Unit]\nConditionPathExists=/nowhere\n[Service]\nType=oneshot\nExecStart=/bin/true\n',
      )
    }
    symlinkSync('/etc/systemd/system/real.service', '/etc/systemd/system/nick.service')
    systemctl('daemon-reload')
    for (const name of ['odd-unit@1', 'nick']) lab.declareUnit(name, { enabled: 'unmanaged' })
    expect((await lab.apply()).failed.map(({ facility }) => facility).sort()).toEqual(['nick', 'odd-unit@1'])
  })

  test('a unit with met conditions may end at once, and counts as started', async () => {
    await using lab = await createSystemdLab()
    lab.place(
      'brief.service',
      '[Unit]\nConditionPathExists=/etc\n[Service]\nType=exec\nExecStart=/bin/touch /tmp/brief\n',
    )
    lab.declareUnit('brief', { enabled: 'unmanaged' })
    const control = createDirectControl(await lab.open())
    expect(await control.act('start', 'brief')).toMatchObject({ changed: true })
    await eventually('it to have run', () => existsSync('/tmp/brief'))
  })

  test('drop-ins of others are named in the status', async () => {
    await using lab = await createSystemdLab()
    const theirs = '/etc/systemd/system/web.service.d/theirs.conf'
    const config = { systemd: { dropIns: { ours: { Service: { MemoryMax: '1G' } } } } }
    lab.declareUnit('web', { process: longRun(), config })
    const controller = await lab.run()
    expect(await controller.ready('web')).not.toHaveProperty('overrides')
    writeFileSync(theirs, '[Service]\nMemoryMax=2G\n')
    await eventually('it to be seen', async () => (await controller.status('web'))?.overrides?.join() === theirs)
  })

  test('drop-ins for all units with a common prefix are those of others, too', async () => {
    await using lab = await createSystemdLab()
    for (const unit of ['web-.service', 'web-blue.service']) mkdirSync(`/etc/systemd/system/${unit}.d`)
    lab.place('web-.service.d/all.conf', '[Service]\nEnvironment=ALL=yes\n')
    lab.place('web-.service.d/twice.conf', '[Service]\nEnvironment=TWICE=no\n')
    lab.place('web-blue.service.d/twice.conf', '[Service]\nEnvironment=TWICE=yes\n')
    lab.declareUnit('web-blue', { process: longRun() })
    const controller = await lab.run()
    const { overrides, pid } = await controller.ready('web-blue')
    const units = '/etc/systemd/system'
    expect(overrides).toEqual([`${units}/web-.service.d/all.conf`, `${units}/web-blue.service.d/twice.conf`])
    // As systemd sees it.
    expect(property('web-blue', 'DropInPaths').split(' ').sort()).toEqual(overrides)
    expect(readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0')).toEqual(
      expect.arrayContaining(['ALL=yes', 'TWICE=yes']),
    )
  })

  test('services of the default supervisor do not move when it is declared, under whatever name', async () => {
    await using lab = await createSystemdLab()
    const declareSystemd = (name: string): void => {
      const spec = { type: 'systemd', systemd: { scope: 'system' } }
      const manifest = { apiVersion: 'reeve/v1', kind: 'Supervisor', metadata: { name }, spec }
      lab.write('systemd.yaml', JSON.stringify(manifest))
    }
    lab.declareUnit('web', { process: longRun() })
    await lab.apply()
    declareSystemd('systemd')
    expect(stepsOf(await lab.plan())).toEqual([])
    await lab.apply()
    declareSystemd('host')
    lab.declareUnit('web', { supervisor: 'host', process: longRun() })
    expect(stepsOf(await lab.plan())).toEqual([])
  })

  test('if neither socket answers, systemctl cannot help either, and this is reported', async () => {
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
      for (const words of [...sockets, 'cannot reach systemd']) expect(blocked).toContain(words)
    } finally {
      for (const socket of sockets) renameSync(`${socket}.away`, socket)
    }
    expect(stepsOf(await lab.plan())).toEqual([])
    expect(existsSync('/etc/systemd/system/web.service')).toBe(true)
  })
})
