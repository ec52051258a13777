import { existsSync, mkdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { systemdProvider } from '../../providers/systemd/index.ts'
import type { WriteBus } from '../../src/core/contracts/bus.ts'
import type { WriteHost } from '../../src/core/contracts/host.ts'
import type { Action, ActionResult } from '../../src/core/contracts/provider.ts'
import { makePlanRun } from '../../src/engine/refresh/plan-run.ts'
import { createWriteHost } from '../../src/host/write-host.ts'
import { longRun, planOf, stepsOf } from '../labs/engine-lab.ts'
import { createSystemdLab, property, queryDirectories, systemctl } from '../systemd-lab/engine.ts'
import { openApplier } from '../tools/opened-provider.ts'

describe.skipIf(process.env.REEVE_MACHINE === undefined)('a batch', () => {
  test('of 500 units is applied, one of them changed, and all removed', { timeout: 240_000 }, async () => {
    await using lab = await createSystemdLab()
    for (let count = 0; count < 500; count += 1) lab.declareUnit(`s${count}`, { process: longRun() })
    expect(await lab.apply()).toMatchObject({ failed: [], notReady: [] })
    expect((await lab.plan()).summary).toMatchObject({ unchanged: 500, add: 0 })
    lab.declareUnit('s7', { process: longRun(1) })
    expect(stepsOf(await lab.plan())).toEqual(['s7/install', 's7/restart'])
    await lab.apply()
    for (let count = 0; count < 500; count += 1) lab.withdraw(`s${count}`)
    expect(await lab.apply({ allowRemovals: 500 })).toMatchObject({ failed: [] })
    expect(property('s7', 'LoadState')).toBe('not-found')
  })

  test('E12: finds an edit that keeps the file time, without a restart for it', async () => {
    await using lab = await createSystemdLab()
    lab.declareUnit('web', { process: longRun() })
    await lab.apply()
    const path = '/etc/systemd/system/web.service'
    const { atime, mtime } = statSync(path)
    writeFileSync(path, readFileSync(path, 'utf8').replace('always', 'on-failure'))
    utimesSync(path, atime, mtime)
    expect(planOf(await lab.plan(), 'web')).toMatchObject({ change: 'repair', steps: [{ verb: 'install' }] })
    const pid = property('web', 'MainPID')
    await lab.apply()
    expect(property('web', 'MainPID')).toBe(pid)
    expect(stepsOf(await lab.plan())).toEqual([])
  })

  test('E4: restores a unit deleted while it runs, whose process has read it', async () => {
    await using lab = await createSystemdLab()
    lab.declareUnit('web', { process: longRun(), files: [{ path: lab.path('web.conf'), content: 'one\n' }] })
    await lab.apply()
    const pid = property('web', 'MainPID')
    for (const prepare of [() => '', () => systemctl('daemon-reload')]) {
      rmSync('/etc/systemd/system/web.service')
      prepare()
      expect(stepsOf(await lab.plan())).toEqual(['web/install', 'web/enable'])
      await lab.apply()
      expect([property('web', 'MainPID'), systemctl('is-enabled', 'web')]).toEqual([pid, 'enabled'])
      expect(stepsOf(await lab.plan())).toEqual([])
    }
  })

  test('being verified does not disturb another one', async () => {
    await using lab = await createSystemdLab()
    lab.declareUnit('one', { process: longRun(), config: { systemd: { unit: { Service: { MemoryMost: '1G' } } } } })
    lab.declareUnit('other', { process: longRun() })
    const { instances, refresh } = await makePlanRun(await lab.open())
    const instance = instances.get('systemd')?.instance
    if (!instance) throw new Error('there is no systemd')
    const results: ActionResult[] = []
    const { queries = [], busQueries = [] } = systemdProvider.capabilities
    const host = createWriteHost({ queries, busQueries })
    const install = (name: string, through: WriteHost): Promise<void> => {
      const definition = refresh.targets.find(({ facility }) => facility.name === name)?.definition
      const action: Action = { id: name, verb: 'install', service: name, signal: new AbortController().signal }
      // Units verified by a refresh aren't verified again.
      const files = definition?.files.map(file => ({ ...file, content: `${file.content}# another one\n` })) ?? []
      const whole = definition ? { ...action, definition: { ...definition, files } } : action
      return openApplier(systemdProvider, instance, through).apply([whole], result => results.push(result))
    }
    await install('one', {
      ...host,
      async query(command, options) {
        if (results.length === 0) await install('other', host)
        return host.query(command, options)
      },
    })
    expect(results).toEqual([
      { id: 'other', ok: true },
      { id: 'one', ok: false, error: expect.objectContaining({ message: expect.stringContaining('MemoryMost') }) },
    ])
    expect(queryDirectories()).toEqual([])
  })

  test('E5: with a unit whose links systemd will not remove delays no other removal', async () => {
    await using lab = await createSystemdLab()
    for (const name of ['good', 'bad', 'other']) lab.declareUnit(name, { process: longRun() })
    await lab.apply()
    for (const name of ['good', 'bad', 'other']) lab.withdraw(name)
    const withoutBad = (bus: WriteBus): WriteBus => ({
      ...bus,
      async call(call) {
        const [names] = call.body ?? []
        const isBad = call.member === 'DisableUnitFiles' && Array.isArray(names) && names.includes('bad.service')
        if (isBad) throw new Error('no links of that one')
        return bus.call(call)
      },
    })
    const session = await lab.open({
      createWriteHost(options) {
        const host = createWriteHost(options)
        return { ...host, openBus: target => withoutBad(host.openBus(target)) }
      },
    })
    const { failed } = await lab.apply({ session, allowRemovals: 3 })
    expect(failed).toEqual([{ facility: 'bad', message: expect.stringContaining('no links of that one') }])
    expect(['good', 'bad', 'other'].map(name => existsSync(`/etc/systemd/system/${name}.service`))).toEqual([
      false,
      true,
      false,
    ])
    await lab.apply({ allowRemovals: 3 })
    expect(existsSync('/etc/systemd/system/bad.service')).toBe(false)
  })

  test('E8: leaves a new drop-in directory of somebody else alone', async () => {
    await using lab = await createSystemdLab()
    lab.declareUnit('web', { process: longRun() })
    await lab.apply()
    mkdirSync('/etc/systemd/system/web.service.d')
    writeFileSync('/etc/systemd/system/web.service.d/theirs.conf', '[Service]\nMemoryMax=1G\n')
    expect(stepsOf(await lab.plan())).toEqual([])
    lab.withdraw('web')
    await lab.apply()
    expect(readFileSync('/etc/systemd/system/web.service.d/theirs.conf', 'utf8')).toContain('MemoryMax')
  })

  test('E5: with a unit that is slow to stop delays nothing else', async () => {
    await using lab = await createSystemdLab()
    const deaf = ['/bin/sh', '-c', `trap '' TERM; while :; do sleep 0.1; done`]
    lab.declareUnit('slow', { process: { command: deaf, stop: { timeout: '4s' } } })
    lab.declareUnit('quick', { process: longRun() })
    await lab.apply()
    lab.declareUnit('slow', { process: { command: deaf, stop: { timeout: '4s' } }, state: 'stopped' })
    lab.declareUnit('quick', { process: longRun(1) })
    const ends: string[] = []
    await lab.apply({
      listener: event =>
        event.type === 'step-finished' && ends.push(`${event.step.id} ${property('slow', 'ActiveState')}`),
    })
    expect(ends).toContain('quick/restart deactivating')
    expect(ends).toContain('slow/stop inactive')
  })
})
