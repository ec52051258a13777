import { spawnSync } from 'node:child_process'
import { chownSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { eventually } from '../../src/conformance/eventually.ts'
import { openControl } from '../../src/engine/control/control-access.ts'
import { longRun, stepsOf } from '../labs/engine-lab.ts'
import { createSystemdLab, property, systemctl } from '../systemd-lab/engine.ts'
import { mountSmallDisk } from '../tools/small-disk.ts'

/** Starts, runs and stops that fail, and their messages. */
describe.skipIf(process.env.REEVE_MACHINE === undefined)('a failure', () => {
  test('of a missing program is a failed start, with the last lines of the journal', async () => {
    await using lab = await createSystemdLab()
    lab.declareUnit('web', { process: { command: ['/nowhere/web'], restart: { policy: 'never' } } })
    const { failed } = await lab.apply()
    expect(failed[0]?.message).toMatch(/has failed: .*; its journal \(journalctl -u \S+\) ends with:.*\/nowhere\/web/s)
    expect(await lab.observe('web')).toMatchObject({ state: 'failed', exit: { code: 203 } })
  })

  test('of an output on a read-only disk shows the cause, whoever opens it', async () => {
    await using lab = await createSystemdLab()
    using disk = mountSmallDisk('/srv/small')
    chownSync(disk.directory, 65_534, 65_534)
    const inner = join(disk.directory, 'of-root')
    mkdirSync(inner)
    disk.setReadOnly(true)
    const declare = (directory: string, more: object): void => {
      const process = { ...longRun(), restart: { policy: 'never' }, output: { file: join(directory, 'web.log') } }
      lab.declareUnit('web', { process: { ...process, ...more } })
    }
    declare(disk.directory, { user: 'nobody' })
    const { failed } = await lab.apply()
    expect(failed[0]?.message).toContain(
      'cannot append output to /srv/small/web.log as user 65534: Read-only file system',
    )
    disk.setReadOnly(false)
    chownSync(disk.directory, 0, 0)
    disk.setReadOnly(true)
    declare(inner, {})
    expect((await lab.apply()).failed[0]?.message).toContain('Read-only file system')
    expect((await lab.observe('web')).message).toContain('its disk is full or read-only')
    disk.setReadOnly(false)
  })

  test('shows what a root process that has ended logged for the unit, and nothing that others logged for it', async () => {
    await using lab = await createSystemdLab()
    const say = (user: string, message: string): void => {
      const logged = spawnSync('setpriv', [`--reuid=${user}`, '--clear-groups', 'logger', '--journald'], {
        input: `UNIT=job.service\nMESSAGE=${message}\n`,
      })
      expect(logged.status).toBe(0)
    }
    say('root', 'said by root')
    say('nobody', 'said by nobody')
    spawnSync('journalctl', ['--sync'])
    lab.declareUnit('job', {
      enabled: false,
      config: { systemd: { text: '[Service]\nType=oneshot\nExecStart=/bin/false\n' } },
    })
    const [failed] = (await lab.apply()).failed
    expect(failed?.message).toContain('said by root')
    expect(failed?.message).not.toContain('said by nobody')
  })

  test('at the start limit shows how often it was tried, and a new start resets it', async () => {
    await using lab = await createSystemdLab()
    const config = { systemd: { unit: { Unit: { StartLimitIntervalSec: 1000, StartLimitBurst: 3 } } } }
    const command = ['/bin/sh', '-c', 'test -e /tmp/may-run && exec sleep 1000000; exit 7']
    lab.declareUnit('web', { process: { command, restart: { policy: 'on-failure', delay: '50ms' } }, config })
    await lab.apply()
    await eventually('the limit', () => property('web', 'ActiveState') === 'failed')
    // systemd counts the start that the limit forbade.
    expect(await lab.observe('web')).toMatchObject({ state: 'failed', exit: { code: 7 }, restarts: 3 })
    writeFileSync('/tmp/may-run', '')
    systemctl('start', 'web')
    expect(property('web', 'ActiveState')).toBe('failed')
    expect(stepsOf(await lab.plan())).toEqual(['web/start'])
    expect(await lab.apply()).toMatchObject({ failed: [], notReady: [] })
    expect(property('web', 'ActiveState')).toBe('active')
  })

  test('E11: soon after each start is a crash loop even while the unit runs, and apply starts a waiting unit at once', async () => {
    await using lab = await createSystemdLab()
    const command = ['/bin/sh', '-c', 'test -e /tmp/mended && exec sleep 1000000; echo broken; sleep 0.7; exit 3']
    const crashing = { command, restart: { policy: 'always', delay: '50ms' } }
    lab.declareUnit('loop', { process: crashing, readySeconds: 0.2 })
    expect((await lab.apply()).failed).toEqual([])
    await eventually('a moment in which it runs', async () => {
      const { state, restarts = 0, exit } = await lab.observe('loop')
      return state === 'running' && restarts >= 2 && exit?.code === 3
    })
    expect((await lab.plan()).troubles).toEqual([
      { facility: 'loop', reason: 'CrashLooping', message: 'crash loop: it exited with code 3' },
    ])
    const { facilities } = await (await openControl(await lab.open())).status('loop')
    expect(facilities[0]?.lastOutput).toContain('broken')
    // systemd would wait for a minute now.
    lab.declareUnit('loop', {
      process: { ...crashing, restart: { policy: 'always', delay: '60s' } },
      readySeconds: 0.2,
    })
    await lab.apply()
    await eventually('it to wait', () => property('loop', 'SubState') === 'auto-restart')
    writeFileSync('/tmp/mended', '')
    expect(stepsOf(await lab.plan())).toEqual(['loop/start'])
    expect(await lab.apply()).toMatchObject({ failed: [], notReady: [] })
    expect(await lab.observe('loop')).toMatchObject({ state: 'running', restarts: 0, totalRestarts: 0 })
  })

  test('of a program that daemonizes names it, whether systemd restarts it or keeps its child', async () => {
    await using lab = await createSystemdLab()
    const command = ['/bin/sh', '-c', 'setsid sleep 1000333 </dev/null >/dev/null 2>&1 & sleep 0.7; exit 0']
    const told = 'the program put itself in the background'
    const looping = { command, restart: { policy: 'always', delay: '1s' } }
    lab.declareUnit('web', { process: looping, readySeconds: 0.1 })
    await lab.apply()
    const hint =
      'it ends well soon after each start, as a program does that puts itself in the background; systemd needs'
    const explained = async (state: string) => {
      const found = await lab.observe('web')
      return found.state === state && (found.restarts ?? 0) >= 2 && found.cause?.startsWith(hint) === true
    }
    // The same message while it waits and while it runs.
    await eventually('a wait', () => explained('starting'))
    await eventually('a run', () => explained('running'))
    const [trouble] = (await lab.plan()).troubles ?? []
    expect(trouble).toMatchObject({ reason: 'CrashLooping', message: expect.stringContaining(`crash loop: ${hint}`) })
    lab.declareUnit('web', { process: { command, restart: { policy: 'on-failure' } }, readySeconds: 0.1 })
    await lab.apply()
    await eventually('it to be over', async () => property('web', 'SubState') === 'exited')
    expect(await lab.observe('web')).toMatchObject({ state: 'starting', message: expect.stringContaining(told) })
    expect((await lab.plan()).troubles).toMatchObject([{ facility: 'web', reason: 'Starting' }])
    lab.declareUnit('web', { process: { command, restart: { policy: 'on-failure' } }, state: 'stopped' })
    expect(await lab.apply()).toMatchObject({ failed: [], notReady: [] })
    expect(spawnSync('pgrep', ['-f', 'sleep 1000333']).status).toBe(1)
    // A completed job leaves no process.
    lab.declareUnit('web', {
      process: { command: ['/bin/sh', '-c', 'sleep 0.3; exit 0'], restart: { policy: 'on-failure' } },
    })
    expect(await lab.apply()).toMatchObject({ failed: [], notReady: [] })
    expect(await lab.observe('web')).toMatchObject({ state: 'stopped', completed: true })
  })

  test('by a single kill is counted and shown, and is no crash loop', async () => {
    await using lab = await createSystemdLab()
    lab.declareUnit('web', { process: longRun() })
    const controller = await lab.run()
    const { pid } = await controller.ready('web')
    process.kill(pid ?? 0, 'SIGKILL')
    await eventually('it to run again', async () => ((await controller.status('web'))?.pid ?? pid) !== pid)
    expect(await controller.ready('web')).toMatchObject({ restarts: 1 })
    await eventually('the history to tell', () => lab.history().some(({ reason }) => reason === 'ended'))
    expect(lab.history().filter(({ reason }) => reason === 'ended')).toMatchObject([
      { facility: 'web', verb: 'restart', trigger: 'supervisor' },
    ])
  })

  test('PITFALLS 14: of a missing program is not ready, even if systemd calls the start done', async () => {
    await using lab = await createSystemdLab()
    const text = '[Service]\nType=simple\nExecStart=/nowhere/web\n'
    lab.declareUnit('web', { enabled: 'unmanaged', config: { systemd: { text } } })
    const { failed, notReady } = await lab.apply()
    expect(failed).toEqual([])
    expect(notReady).toMatchObject([{ facility: 'web', message: expect.stringContaining('failed') }])
    expect(await lab.observe('web')).toMatchObject({ state: 'failed', exit: { code: 203 } })
  })

  test('E11: by a start timeout is a failure, and is final where the policy says so', async () => {
    await using lab = await createSystemdLab()
    const config = { systemd: { unit: { Service: { Type: 'notify', TimeoutStartSec: '300ms' } } } }
    lab.declareUnit('web', { process: { ...longRun(), restart: { policy: 'never' } }, config })
    expect((await lab.apply()).failed[0]?.message).toMatch(/its start took longer/)
    expect(await lab.observe('web')).toMatchObject({
      state: 'failed',
      message: expect.stringContaining('its start took'),
    })
    expect(stepsOf(await lab.plan())).toEqual([])
    // Also a unit that has been up before.
    const ready = { command: ['/bin/sh', '-c', 'test -e /tmp/mute || systemd-notify --ready; exec sleep 1000000'] }
    lab.declareUnit('web', {
      process: { ...ready, restart: { policy: 'never' } },
      config: { systemd: { unit: { Service: { Type: 'notify', NotifyAccess: 'all', TimeoutStartSec: '2s' } } } },
    })
    expect(await lab.apply()).toMatchObject({ failed: [], notReady: [] })
    writeFileSync('/tmp/mute', '')
    systemctl('restart', 'web')
    expect(await lab.observe('web')).toMatchObject({ state: 'failed' })
  })

  test('by exceeding RuntimeMaxSec is a failure', async () => {
    await using lab = await createSystemdLab()
    const config = { systemd: { unit: { Service: { RuntimeMaxSec: '700ms' } } } }
    lab.declareUnit('web', { process: { ...longRun(), restart: { policy: 'never' } }, config })
    await lab.apply()
    await eventually('its time to be over', () => property('web', 'ActiveState') === 'failed')
    expect(property('web', 'Result')).toBe('timeout')
    expect(await lab.observe('web')).toMatchObject({
      state: 'failed',
      message: expect.stringContaining('RuntimeMaxSec='),
    })
  })

  test('by a stop timeout leaves the unit stopped', async () => {
    await using lab = await createSystemdLab()
    const command = ['/bin/sh', '-c', `trap '' TERM; : > /tmp/deaf; while :; do sleep 0.1; done`]
    lab.declareUnit('web', { process: { command, stop: { timeout: '500ms' } } })
    await lab.apply()
    await eventually('it to be deaf', () => existsSync('/tmp/deaf'))
    lab.declareUnit('web', { process: { command, stop: { timeout: '500ms' } }, state: 'stopped' })
    expect(await lab.apply()).toMatchObject({ failed: [], notReady: [] })
    expect(await lab.observe('web')).toMatchObject({ state: 'stopped' })
    systemctl('start', 'web')
    await eventually('it to be deaf again', () => property('web', 'SubState') === 'running')
    systemctl('stop', 'web')
    expect(await lab.observe('web')).toMatchObject({ state: 'stopped' })
  })
})
