import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { beforeEach, describe, expect, test } from 'vitest'
import { systemdProvider } from '../../providers/systemd/index.ts'
import { eventually } from '../../src/conformance/eventually.ts'
import type { Action, ActionResult } from '../../src/core/contracts/provider.ts'
import { makePlanRun } from '../../src/engine/refresh/plan-run.ts'
import { planOf, type Spec, stepsOf } from '../labs/engine-lab.ts'
import { createSystemdLab, property, type SystemdLab, systemctl } from '../systemd-lab/engine.ts'
import { openApplier } from '../tools/opened-provider.ts'

const unit = '/etc/systemd/system/web.service'
const record = '/run/reeve-runs/web.service'

/** Files that Reeve knows a service to have read, whoever has started it. */
describe.skipIf(process.env.REEVE_MACHINE === undefined)('files that a service has read', { timeout: 120_000 }, () => {
  const path = '/etc/web-run.conf'
  beforeEach(() => rmSync(path, { force: true }))

  const command = ['/bin/sleep', '1000000']
  const declare = (lab: SystemdLab, content: string, more: Spec = {}, onChange = 'restart'): void =>
    lab.declareUnit('web', { process: { command, ...more }, files: [{ path, content, onChange }] })
  const runOf = (): string => property('web', 'InvocationID')

  for (const [what, startAgain] of [
    ['somebody else has started', () => systemctl('restart', 'web')],
    ['systemd has started again', () => systemctl('kill', '--signal=KILL', 'web')],
  ] as const) {
    test(`E12: are compared by content, not by time, for what ${what}`, async () => {
      await using lab = await createSystemdLab()
      declare(lab, 'one\n', { restart: { delay: '0s' } })
      await lab.apply()
      const before = runOf()
      startAgain()
      await eventually('another run', () => runOf() !== before && property('web', 'SubState') === 'running')
      const run = runOf()
      expect(stepsOf(await lab.plan())).toEqual([])
      expect(await lab.apply()).toMatchObject({ stepsDone: 0 })
      writeFileSync(path, 'one\n')
      expect(stepsOf(await lab.plan())).toEqual([])
      writeFileSync(path, 'edited\n')
      expect(stepsOf(await lab.plan())).toEqual([`web/write-file:${path}`])
      await lab.apply()
      expect([runOf(), stepsOf(await lab.plan())]).toEqual([run, []])
    })
  }

  test('before a start without Reeve are the changed ones', async () => {
    await using lab = await createSystemdLab()
    declare(lab, 'one\n')
    await lab.apply()
    writeFileSync(path, 'edited\n')
    systemctl('restart', 'web')
    expect(stepsOf(await lab.plan())).toEqual([`web/write-file:${path}`, 'web/restart'])
    await lab.apply()
    expect(stepsOf(await lab.plan())).toEqual([])
  })

  test('are unknown if they changed after the start while no observation was made: one restart', async () => {
    await using lab = await createSystemdLab()
    declare(lab, 'one\n')
    await lab.apply()
    systemctl('restart', 'web')
    writeFileSync(path, 'one\n')
    expect(stepsOf(await lab.plan())).toEqual(['web/restart'])
    await lab.apply()
    expect(stepsOf(await lab.plan())).toEqual([])
  })

  test('at a reload by somebody else are those of that moment', async () => {
    await using lab = await createSystemdLab()
    const reload = { reload: { command: ['/bin/true'] } }
    declare(lab, 'one\n', reload, 'reload')
    await lab.apply()
    const run = runOf()
    writeFileSync(path, 'edited\n')
    systemctl('reload', 'web')
    expect(stepsOf(await lab.plan())).toEqual([`web/write-file:${path}`, 'web/reload'])
    // Even if systemd has forgotten the time of the reload by now.
    systemctl('daemon-reload')
    expect(stepsOf(await lab.plan())).toEqual([`web/write-file:${path}`, 'web/reload'])
    await lab.apply()
    expect([runOf(), stepsOf(await lab.plan())]).toEqual([run, []])
    declare(lab, 'two\n', reload, 'reload')
    expect(stepsOf(await lab.plan())).toEqual([`web/write-file:${path}`, 'web/reload'])
    await lab.apply()
    systemctl('reload', 'web')
    expect([runOf(), stepsOf(await lab.plan())]).toEqual([run, []])
  })

  test('and rewrites as it starts are those that Reeve wrote', async () => {
    await using lab = await createSystemdLab()
    declare(lab, 'one\n', { command: ['/bin/sh', '-c', `echo more >>${path}; exec sleep 1000000`] })
    await lab.apply()
    await eventually('it to write', () => readFileSync(path, 'utf8') === 'one\nmore\n')
    expect(stepsOf(await lab.plan())).toEqual([`web/write-file:${path}`])
    await lab.apply()
    expect(stepsOf(await lab.plan())).toEqual([])
  })

  test('are not updated by a start of a running service', async () => {
    await using lab = await createSystemdLab()
    declare(lab, 'one\n')
    await lab.apply()
    const before = readFileSync(record, 'utf8')
    writeFileSync(path, 'two\n')
    const session = await lab.open()
    const instance = (await makePlanRun(session)).instances.get('systemd')?.instance
    if (!instance) throw new Error('there is no systemd')
    const start: Action = { id: 'start', verb: 'start', service: 'web', signal: new AbortController().signal }
    const results: ActionResult[] = []
    using applier = openApplier(systemdProvider, instance)
    await applier.apply([start], one => results.push(one))
    expect(results).toEqual([{ id: 'start', ok: true }])
    declare(lab, 'two\n')
    expect(readFileSync(record, 'utf8')).toBe(before)
    expect(stepsOf(await lab.plan())).toEqual(['web/restart'])
  })

  /** Unit as the version before wrote it: with its own record steps, and a directory for the records. */
  test('are kept when a unit of an earlier version is replaced, and its service keeps running', async () => {
    await using lab = await createSystemdLab()
    declare(lab, 'one\n', { reload: { signal: 'HUP' } })
    await lab.apply()
    const text = readFileSync(unit, 'utf8')
    const definition = /REEVE_DEFINITION=(\w+)/.exec(text)?.[1] ?? ''
    const digest = /^([0-9a-f]{64}) \//m.exec(readFileSync(record, 'utf8'))?.[1]
    const keys =
      'RuntimeDirectory=reeve-loaded/web.service\nExecStartPre=/bin/sh -c true\nExecReload=\nExecReload=/bin/true\n'
    lab.place(
      'web.service',
      text.replace(/^Environment=REEVE_DEFINITION=.*\n/m, line => line + keys),
    )
    systemctl('restart', 'web')
    rmSync(record)
    mkdirSync('/run/reeve-loaded/web.service', { recursive: true })
    const earlier = `${runOf()} ${definition}\n${digest} ${path}\n`
    writeFileSync('/run/reeve-loaded/web.service/loaded', earlier, { mode: 0o600 })
    // By its age alone, it couldn't be told.
    writeFileSync(path, 'one\n')
    const run = runOf()
    const plan = await lab.plan()
    expect(stepsOf(plan)).toEqual(['web/install'])
    expect(planOf(plan, 'web')).toMatchObject({
      change: 'change',
      steps: [{ detail: 'an earlier version of Reeve wrote it, the service goes on' }],
    })
    expect(await lab.apply()).toMatchObject({ failed: [], notReady: [] })
    expect(readFileSync(unit, 'utf8')).toBe(text)
    rmSync('/run/reeve-loaded', { recursive: true })
    expect([runOf(), stepsOf(await lab.plan())]).toEqual([run, []])
  })

  test('and that are dropped require a restart, even of a run started without Reeve', async () => {
    await using lab = await createSystemdLab()
    declare(lab, 'one\n')
    await lab.apply()
    systemctl('restart', 'web')
    const run = runOf()
    lab.declareUnit('web', { process: { command } })
    expect(stepsOf(await lab.plan())).toEqual([`web/remove-file:${path}`, 'web/install', 'web/restart'])
    await lab.apply()
    expect(runOf()).not.toBe(run)
    expect(stepsOf(await lab.plan())).toEqual([])
  })
})
