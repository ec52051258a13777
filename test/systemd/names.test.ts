import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { systemdProvider } from '../../providers/systemd/index.ts'
import { eventually } from '../../src/conformance/eventually.ts'
import { LONG_RUN } from '../../src/conformance/lab.ts'
import { createDirectControl } from '../../src/engine/control/direct-control.ts'
import { applyOnce } from '../../src/engine/execution/apply.ts'
import { takeDown } from '../../src/engine/execution/down.ts'
import { longRun, planOf, stepsOf } from '../labs/engine-lab.ts'
import { createSystemdLab, property, systemctl } from '../systemd-lab/engine.ts'
import { openObserver } from '../tools/opened-provider.ts'

const units = '/etc/systemd/system'
const escaped = 'site\\x2da.b'
const instance = { name: 'systemd', type: 'systemd', options: {}, stateDirectory: '/tmp', owner: 'x' }

/** systemd's own escaping is part of a name, and passes unchanged through paths, shells, D-Bus objects and queries. */
describe.skipIf(process.env.REEVE_MACHINE === undefined)('escaped unit names', () => {
  for (const service of ['-dash\\x20a.b', '_on@site\\x2da:1']) {
    test(`${service} is written, run, reloaded, restarted, observed and removed`, async () => {
      await using lab = await createSystemdLab()
      const file = lab.path('app.conf')
      const unit = `${service}.service`
      const spec = (content: string) => ({
        serviceName: service,
        process: { ...longRun(), reload: { signal: 'CONT' } },
        files: [{ path: file, content, onChange: 'reload' }],
      })
      lab.declareUnit('web', spec('1'))
      const controller = await lab.run()
      const { pid, output } = await controller.ready('web')
      expect(systemctl('is-enabled', '--', unit)).toBe('enabled')
      expect(systemctl('show', '--value', '-p', 'MainPID', '--', unit)).toBe(String(pid))
      expect(existsSync(`${units}/multi-user.target.wants/${unit}`)).toBe(true)
      expect(openObserver(systemdProvider, instance).serviceOf?.(pid ?? 0)).toBe(service)
      // A person can paste it into a shell.
      expect(
        spawnSync('/bin/sh', ['-c', `${output} --no-pager -o cat | head -n 1`], { encoding: 'utf8' }).stdout,
      ).toMatch(/Start/)

      lab.declareUnit('web', spec('2'))
      await eventually('a reload', () => controller.steps().includes('web/reload'))
      expect((await controller.ready('web')).pid).toBe(pid)
      process.kill(pid ?? 0, 'SIGKILL')
      await eventually('it to run again', async () => ((await controller.status('web'))?.pid ?? pid) !== pid)
      expect(controller.steps().filter(step => step.includes('restart'))).toEqual([])
      expect((await controller.control.act('restart', 'web')).changed).toBe(true)
      await controller.ready('web')
      await controller.stop()
      expect(stepsOf(await lab.plan())).toEqual([])
      expect(lab.history().some(entry => entry.service === service && entry.verb === 'install')).toBe(true)
      const session = await lab.open()
      const options = { signal: new AbortController().signal, listener() {} }
      expect((await takeDown(session, ['web'], options)).failed).toEqual([])
      expect(readdirSync(units).filter(name => name.startsWith(service))).toEqual([])
      expect(existsSync(`/run/reeve-loaded/${unit}`)).toBe(false)
    })
  }

  test('a failed start shows the journal of exactly that unit', async () => {
    await using lab = await createSystemdLab()
    const command = ['/bin/sh', '-c', 'echo what went wrong; exit 3']
    const config = { systemd: { unit: { Service: { Type: 'oneshot', RemainAfterExit: null } } } }
    lab.declareUnit('job', { serviceName: escaped, process: { command, restart: { policy: 'never' } }, config })
    const { failed } = await lab.apply()
    expect(failed[0]?.message).toContain(`${escaped}.service has failed: it exited with code 3`)
    expect(failed[0]?.message).toContain('what went wrong')
  })

  test('an instance of a packaged template gets a drop-in, and the policy matches its name', async () => {
    const name = 'tunnel@site\\x2da'
    await using lab = await createSystemdLab()
    lab.place('tunnel@.service', `[Service]\nExecStart=${LONG_RUN.join(' ')}\n[Install]\nWantedBy=multi-user.target\n`)
    const config = { systemd: { dropIns: { limits: { Service: { LimitNOFILE: 123 } } } } }
    lab.declareUnit('tunnel', { serviceName: name, config })
    const file = lab.path('bounded.yaml')
    const bounded = (services: readonly string[]) => {
      const policy = JSON.stringify({ services, supervisorDirectories: ['/'] })
      writeFileSync(file, `apiVersion: reeve/v1\nkind: HostConfiguration\npolicy: ${policy}\n`)
      return { config: file }
    }
    for (const services of [['tunnel@site-a'], ['tunnel@site\\\\x2da'], ['tunnel@site?x2da']]) {
      const { blocked } = planOf(await lab.plan(bounded(services)), 'tunnel') ?? {}
      expect(blocked, services.join()).toContain('not allowed by policy.services')
    }
    const session = await lab.open(bounded(['tunnel@site\\x2d*']))
    const options = { signal: new AbortController().signal, listener() {} }
    expect(await applyOnce(session, options)).toMatchObject({ failed: [], notReady: [] })
    expect([property(name, 'LimitNOFILE'), systemctl('is-enabled', name)]).toEqual(['123', 'enabled'])
    expect(stepsOf(await lab.plan())).toEqual([])
    lab.withdraw('tunnel')
    await lab.apply()
    expect(existsSync(`${units}/${name}.service.d`)).toBe(false)
    expect(property(name, 'ActiveState')).toBe('active')
    systemctl('disable', '--now', name)
  })

  test('a unit that is no service is refused by kind, whatever its name contains', async () => {
    await using lab = await createSystemdLab()
    const refused = {
      'srv-my\\x2ddata.mount': /srv-my\\x2ddata\.mount, a mount point/,
      'a+b': /expected a name of letters, digits and _ \. @ : - \\, as systemd\.unit\(5\) has it/,
      '@x': /expected a name of letters/,
      [`${'n'.repeat(248)}`]: /at most 255 characters, found 256/,
    }
    for (const service of Object.keys(refused)) lab.declareUnit(`f${service.length}`, { serviceName: service })
    const plan = await lab.plan()
    for (const [service, why] of Object.entries(refused)) {
      expect(planOf(plan, `f${service.length}`)?.blocked, service).toMatch(why)
    }
  })

  test('the longest name that systemd accepts works like others', async () => {
    await using lab = await createSystemdLab()
    const service = 'n'.repeat(255 - '.service'.length)
    lab.place(
      `${service}.service`,
      `[Service]\nExecStart=${LONG_RUN.join(' ')}\n[Install]\nWantedBy=multi-user.target\n`,
    )
    lab.declareUnit('long', { serviceName: service })
    expect(await lab.apply()).toMatchObject({ failed: [], notReady: [] })
    expect([property(service, 'ActiveState'), systemctl('is-enabled', service)]).toEqual(['active', 'enabled'])
    expect(stepsOf(await lab.plan())).toEqual([])
    // Its directory of drop-ins would have a name that no file system accepts.
    lab.declareUnit('long', { serviceName: service, config: { systemd: { dropIns: { x: { Service: { Nice: 1 } } } } } })
    expect(planOf(await lab.plan(), 'long')?.blocked).toContain('no file system takes a name as long')
    systemctl('disable', '--now', service)
    rmSync(`${units}/${service}.service`)
    expect((await createDirectControl(await lab.open()).status('long')).facilities[0]?.state).toBe('absent')
  })
})
