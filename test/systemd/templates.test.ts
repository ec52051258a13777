import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { eventually } from '../../src/conformance/eventually.ts'
import { createDirectControl } from '../../src/engine/control/direct-control.ts'
import { validate } from '../../src/engine/refresh/validation.ts'
import { planOf, stepsOf } from '../labs/engine-lab.ts'
import { createSystemdLab, property, systemctl } from '../systemd-lab/engine.ts'

const units = '/etc/systemd/system'
const run = '[Service]\nExecStart=/bin/sleep 1000000\n'
const wanted = '[Install]\nWantedBy=multi-user.target\n'

/** Links of a target to units of that name, whatever else the machine has. */
function linksOf(name: string): string[] {
  const folder = `${units}/multi-user.target.wants`
  return existsSync(folder) ? readdirSync(folder).filter(link => link.startsWith(name)) : []
}

describe.skipIf(process.env.REEVE_MACHINE === undefined)('templates and their instances:', () => {
  test('E3: a template is enabled once by its default instance, and disabled without its other instances', async () => {
    await using lab = await createSystemdLab()
    lab.place('tpl@.service', `${run}${wanted}DefaultInstance=def\n`)
    lab.declareUnit('tpl@', { state: 'unmanaged' })
    lab.declareUnit('tpl@other', { state: 'unmanaged' })
    expect(stepsOf(await lab.plan())).toEqual(['tpl@/enable', 'tpl@other/enable'])
    expect(await lab.apply()).toMatchObject({ failed: [], notReady: [] })
    expect(linksOf('tpl@')).toEqual(['tpl@def.service', 'tpl@other.service'])
    expect(stepsOf(await lab.plan())).toEqual([])
    lab.declareUnit('tpl@', { state: 'unmanaged', enabled: false })
    expect(await lab.apply()).toMatchObject({ failed: [], notReady: [], stepsDone: 1 })
    expect(linksOf('tpl@')).toEqual(['tpl@other.service'])
    expect(stepsOf(await lab.plan())).toEqual([])
  })

  test('a template without a default instance cannot be enabled, and the message names what can', async () => {
    await using lab = await createSystemdLab()
    lab.place('tpl@.service', `${run}${wanted}`)
    lab.declareUnit('tpl@', { state: 'unmanaged' })
    expect(planOf(await lab.plan(), 'tpl@')?.blocked).toContain('a template without a default instance')
    expect(systemctl('is-enabled', 'tpl@')).toBe('disabled')
  })

  test('a template that is declared running is refused before systemd is asked', async () => {
    await using lab = await createSystemdLab()
    lab.declareUnit('tpl@', {})
    lab.declareUnit('tpl@x', {})
    lab.declareUnit('other@', { state: 'stopped' })
    const { diagnostics } = await validate(await lab.open())
    expect(diagnostics.map(({ message }) => message)).toEqual([
      expect.stringMatching(/tpl@ .*template, of which only instances run: name one, tpl@NAME/),
    ])
  })

  test('a job with a timer, and a service with a socket, may be template instances', async () => {
    await using lab = await createSystemdLab()
    const process = { command: ['/bin/sh', '-c', 'echo ran >> /tmp/instance'], restart: { policy: 'never' } }
    lab.declareUnit('job@x', { process, config: { systemd: { timer: { OnCalendar: 'yearly' } } } })
    lab.declareUnit('door@x', {
      process: { command: ['/bin/sleep', '1000000'] },
      config: { systemd: { socket: { ListenFIFO: '/run/door-x' } } },
    })
    expect(await lab.apply()).toMatchObject({ failed: [], notReady: [] })
    expect([property('job@x.timer', 'ActiveState'), property('door@x.socket', 'ActiveState')]).toEqual([
      'active',
      'active',
    ])
    expect(stepsOf(await lab.plan())).toEqual([])
    await createDirectControl(await lab.open()).act('start', 'job@x')
    await eventually('the job to have run', () => existsSync('/tmp/instance'))
    writeFileSync('/run/door-x', 'x')
    await eventually('the service to run', () => property('door@x.service', 'ActiveState') === 'active')
    for (const name of ['job@x', 'door@x']) lab.withdraw(name)
    expect(await lab.apply({ allowRemovals: 2 })).toMatchObject({ failed: [] })
    expect(readdirSync(units).filter(name => /^(?:job|door)@/.test(name))).toEqual([])
  })

  test('an instance of somebody else’s template gets a timer, and is left unchanged when that is removed', async () => {
    await using lab = await createSystemdLab()
    lab.place('sweep@.service', '[Service]\nType=oneshot\nExecStart=/bin/sh -c "echo %%i=%i >> /tmp/swept"\n')
    lab.declareUnit('sweep@a', { config: { systemd: { timer: { OnCalendar: 'yearly' } } } })
    expect(await lab.apply()).toMatchObject({ failed: [], notReady: [] })
    expect(systemctl('is-enabled', 'sweep@a.timer')).toBe('enabled')
    expect([property('sweep@a.timer', 'ActiveState'), existsSync('/tmp/swept')]).toEqual(['active', false])
    expect(stepsOf(await lab.plan())).toEqual([])
    expect(await lab.observe('sweep@a')).toMatchObject({ state: 'running', enabled: true })
    await createDirectControl(await lab.open()).act('start', 'sweep@a')
    expect(readFileSync('/tmp/swept', 'utf8')).toBe('%i=a\n')
    systemctl('stop', 'sweep@a.timer')
    expect(stepsOf(await lab.plan())).toEqual(['sweep@a/start'])
    await lab.apply()
    lab.withdraw('sweep@a')
    expect(await lab.apply()).toMatchObject({ failed: [] })
    expect([systemctl('is-enabled', 'sweep@a.timer'), property('sweep@a.timer', 'ActiveState')]).toEqual([
      '',
      'inactive',
    ])
    expect(readdirSync(units).filter(name => name.startsWith('sweep@'))).toEqual(['sweep@.service'])
  })

  test('a timer, a socket and a drop-in may be files beside the manifest, like the unit itself', async () => {
    await using lab = await createSystemdLab()
    mkdirSync(`${lab.manifests}/native`)
    lab.write('native/file.timer', '[Timer]\nOnCalendar=yearly\n[Install]\nWantedBy=timers.target\n')
    lab.write('native/file.socket', '[Socket]\nListenFIFO=/run/file\n[Install]\nWantedBy=sockets.target\n')
    lab.write('native/limits', '[Service]\nLimitNOFILE=123\n')
    const systemd = {
      timer: { source: './native/file.timer' },
      socket: { source: './native/file.socket' },
      dropIns: { limits: { source: './native/limits' } },
    }
    lab.declareUnit('file', { process: { command: ['/bin/sleep', '1000000'] }, config: { systemd } })
    expect(await lab.apply()).toMatchObject({ failed: [], notReady: [] })
    expect(readFileSync(`${units}/file.timer`, 'utf8')).toContain('OnCalendar=yearly\n')
    expect([property('file.socket', 'ActiveState'), property('file', 'LimitNOFILE')]).toEqual(['active', '123'])
    expect(stepsOf(await lab.plan())).toEqual([])
    lab.write('native/file.timer', '[Timer]\nOnCalendar=monthly\n[Install]\nWantedBy=timers.target\n')
    expect(stepsOf(await lab.plan())).toEqual(['file/install', 'file/restart'])
  })
})
