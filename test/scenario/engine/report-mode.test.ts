import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { processProvider } from '../../../providers/process/index.ts'
import { eventually } from '../../../src/conformance/eventually.ts'
import type { Control } from '../../../src/core/contracts/control.ts'
import { openControl } from '../../../src/engine/control/control-access.ts'
import { applyOnce } from '../../../src/engine/execution/apply.ts'
import { takeDown } from '../../../src/engine/execution/down.ts'
import type { Effect } from '../../../src/host/effects.ts'
import { createWriteHost } from '../../../src/host/write-host.ts'
import { createEngineLab, type EngineLab, healthyWith, longRun, type RunningController } from '../../labs/engine-lab.ts'
import { powerOff } from '../../labs/process-lab.ts'
import { findFreePort } from '../../tools/free-port.ts'
import { createMeddledProvider } from '../../tools/meddled-provider.ts'
import { withApplier } from '../../tools/opened-provider.ts'

const ways = () => ({ signal: new AbortController().signal, listener() {} })

function setMode(lab: EngineLab, mode: 'reconcile' | 'report', more = ''): void {
  const configuration = `apiVersion: reeve/v1\nkind: HostConfiguration\ndefaultSupervisor: lab\nresync: 1s\nmode: ${mode}\n${more}\n`
  writeFileSync(lab.path('reeve.yaml'), configuration)
}

/** Runs a controller, and notes each of its effects outside the state directory. */
async function runNoting(lab: EngineLab, effects: Effect[]): Promise<RunningController> {
  const onEffect = (effect: Effect): void => {
    if (!effect.target.startsWith(lab.stateDirectory)) effects.push(effect)
  }
  return lab.run({ stopServices: true, createWriteHost: options => createWriteHost({ ...options, onEffect }) })
}

async function pendingOf(controller: RunningController): Promise<Record<string, string | undefined>> {
  const { facilities } = await controller.control.status()
  return Object.fromEntries(facilities.map(({ name, pending }) => [name, pending]))
}

test.concurrent('on a fresh host in report mode everything is pending, nothing is written, and no supervisor is started', async () => {
  await using lab = createEngineLab()
  setMode(lab, 'report')
  const files = [{ path: lab.path('web.conf'), content: 'port = 80\n' }]
  lab.declare('web', { process: { ...longRun(), output: { file: lab.path('web.log') } }, files })
  const effects: Effect[] = []
  const controller = await runNoting(lab, effects)
  expect(await pendingOf(controller)).toEqual({ web: 'to do: install, write-file, enable, start' })
  expect((await controller.control.status()).mode).toBe('report')
  await eventually('the log to tell of it', () =>
    controller.log.some(
      ({ message }) => message === 'web: not as declared: report mode; to do: install, write-file, enable, start',
    ),
  )
  await controller.stop()
  expect(effects).toEqual([])
  expect(['supervisor', 'web.conf', 'web.log'].filter(name => existsSync(lab.path(name)))).toEqual([])
})

test.concurrent('in report mode drift, changes, removals and failing health checks are told, and left as they are until the host is reconciled again', async () => {
  await using lab = createEngineLab()
  setMode(lab, 'reconcile')
  const path = lab.path('files.conf')
  const declared = {
    stopped: { process: longRun(1) },
    changed: { process: longRun(2) },
    gone: { process: longRun(3) },
    sick: { process: longRun(4), health: healthyWith(lab, 'well', { onFailure: 'restart', failureThreshold: 1 }) },
    files: { process: longRun(5), files: [{ path, content: 'good\n' }] },
  }
  for (const [name, spec] of Object.entries(declared)) lab.declare(name, spec)
  writeFileSync(lab.path('well'), '')
  expect((await lab.apply()).notReady).toEqual([])
  const pids = async () =>
    Object.fromEntries(await Promise.all(names.map(async name => [name, (await lab.observe(name)).pid])))
  const names = ['changed', 'gone', 'sick', 'files']
  await (await openControl(await lab.open())).act('stop', 'stopped')
  const before = await pids()

  setMode(lab, 'report')
  writeFileSync(path, 'bad\n')
  lab.declare('changed', { process: longRun(20) })
  lab.withdraw('gone')
  const effects: Effect[] = []
  const controller = await runNoting(lab, effects)
  await controller.ready('sick')
  rmSync(lab.path('well'))
  await eventually('all to be pending', async () => Object.values(await pendingOf(controller)).every(Boolean))
  expect(await pendingOf(controller)).toEqual({
    changed: 'to do: install, restart',
    files: 'to do: write-file',
    gone: 'to do: stop, remove',
    sick: 'to do: restart',
    stopped: 'to do: start',
  })
  // A removal would begin after 2 s.
  const late = Date.now() + 3_000
  await eventually('a later pass', async () => {
    const { lastPass } = (await controller.control.status()).controller ?? {}
    return Date.parse(lastPass ?? '') > late
  })
  await controller.stop()
  expect(controller.events).toEqual([])
  // Health is probed as ever.
  expect(new Set(effects.map(({ target }) => target))).toEqual(new Set([`/usr/bin/test -e ${lab.path('well')}`]))
  expect(await pids()).toEqual(before)
  expect(readFileSync(path, 'utf8')).toBe('bad\n')

  setMode(lab, 'reconcile')
  writeFileSync(lab.path('well'), '')
  const next = await lab.run()
  for (const name of ['stopped', 'changed', 'files', 'sick']) await next.ready(name)
  await eventually('the undeclared one to be removed', async () => (await next.status('gone')) === undefined)
  expect(readFileSync(path, 'utf8')).toBe('good\n')
  expect((await next.control.status()).mode).toBeUndefined()
})

test.concurrent('what would change a host in report mode is refused, with the reason and the way, by the controller and without one', async () => {
  await using lab = createEngineLab()
  setMode(lab, 'reconcile')
  lab.declare('web', { process: longRun() })
  await lab.apply()
  const { pid } = await lab.observe('web')
  // One whose command reads the configuration before it is changed asks all the same.
  const early = await lab.open()
  setMode(lab, 'report')
  const session = await lab.open()
  const controller = await lab.run()
  for (const control of [await openControl(session), await openControl(early)]) {
    expect(control.pid).toBe(process.pid)
    await expectRefusals(control)
  }
  await controller.stop()
  const control = await openControl(session)
  expect(control.pid).toBeUndefined()
  await expectRefusals(control)
  expect((await control.status()).mode).toBe('report')

  // Suspensions are Reeve's own, and hold when the host is reconciled again.
  expect(await control.suspend('web')).toMatchObject({ changed: true })
  expect(await control.resume('web')).toMatchObject({ changed: true })
  expect(await lab.observe('web')).toMatchObject({ state: 'running', pid })
})

async function expectRefusals(control: Control): Promise<void> {
  const asked = {
    apply: () => control.apply({}, ways()),
    down: () => control.down([], ways()),
    'down.': () => control.planDown([]),
    'stop web': () => control.act('stop', 'web', { suspend: true }),
    'start web': () => control.act('start', 'web'),
    'disable web': () => control.act('disable', 'web'),
  }
  for (const [what, ask] of Object.entries(asked)) {
    const message = `${what.replace('.', '')}: this host is in report mode (mode: report in the host configuration), so nothing is changed on it. `
    await expect(ask(), what).rejects.toMatchObject({ code: 'refused', message: expect.stringContaining(message) })
    await expect(ask(), what).rejects.toThrow('set mode: reconcile there')
  }
  expect((await control.status('web')).facilities[0]?.conditions[1]?.reason).not.toBe('Suspended')
}

test.concurrent('after a boot in report mode, the built-in supervisor and its services stay down', async () => {
  await using lab = createEngineLab()
  setMode(lab, 'reconcile')
  lab.declare('web', { process: longRun() })
  await lab.apply()
  await powerOff(lab.supervisorDirectory)
  setMode(lab, 'report')
  const effects: Effect[] = []
  const controller = await runNoting(lab, effects)
  expect(await pendingOf(controller)).toEqual({ web: 'to do: start' })
  await controller.stop()
  expect(effects).toEqual([])
  expect((await lab.observe('web')).state).toBe('stopped')
  setMode(lab, 'reconcile')
  await (await lab.run()).ready('web')
})

test.concurrent('metrics tell the mode, and each facility as long as there is one', async () => {
  await using lab = createEngineLab()
  const port = await findFreePort()
  const read = async (pattern: RegExp): Promise<string[]> => {
    const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
    return text.split('\n').filter(line => pattern.test(line))
  }
  for (const name of ['db', 'web']) lab.declare(name, { process: longRun() })
  setMode(lab, 'report', `listen: ${port}`)
  const reporting = await lab.run()
  await eventually('a first pass', async () => (await read(/^reeve_facility_/)).length > 0)
  expect(await read(/^reeve_(?:facility_|report_mode)/)).toEqual([
    'reeve_facility_ready{facility="db"} 0',
    'reeve_facility_ready{facility="web"} 0',
    'reeve_facility_drifted{facility="db"} 1',
    'reeve_facility_drifted{facility="web"} 1',
    'reeve_report_mode 1',
  ])
  await reporting.stop()
  setMode(lab, 'reconcile', `listen: ${port}`)
  const controller = await lab.run()
  for (const name of ['db', 'web']) await controller.ready(name)
  process.kill((await lab.observe('web')).pid ?? 0, 'SIGKILL')
  const restarts = 'reeve_facility_restarts_total{facility="web"} 1'
  await eventually('the restart to be counted', async () => (await read(/^reeve_facility_restarts/)).includes(restarts))
  lab.withdraw('db')
  await eventually('db to be gone', async () => (await read(/facility="db"/)).length === 0)
  await eventually('web to be ready', async () => (await read(/^reeve_facility_ready/))[0]?.endsWith(' 1'))
  expect(await read(/^reeve_(?:facility_|report_mode)/)).toEqual([
    'reeve_facility_ready{facility="web"} 1',
    'reeve_facility_drifted{facility="web"} 0',
    restarts,
    'reeve_report_mode 0',
  ])
})

test.concurrent('no applier is opened in report mode, not even to note what services have loaded', async () => {
  const opened: string[] = []
  const noting = withApplier(processProvider, (_, { name }) => {
    opened.push(name)
    return { keepRuns: async () => {} }
  })
  const meddled = createMeddledProvider(noting)
  await using lab = createEngineLab({ providers: [meddled.provider] })
  setMode(lab, 'reconcile')
  lab.declare('web', { process: longRun() })
  await lab.apply()
  meddled.bend = observed => ({ ...observed, isUnrecorded: true })
  for (const mode of ['report', 'reconcile'] as const) {
    setMode(lab, mode)
    opened.length = 0
    const controller = await lab.run()
    await controller.ready('web')
    await controller.stop()
    expect(opened).toEqual(mode === 'report' ? [] : ['lab'])
  }
})

test.concurrent('what others change again and again in report mode is not told as undone: Reeve did nothing', async () => {
  await using lab = createEngineLab()
  setMode(lab, 'reconcile')
  const path = lab.path('web.conf')
  lab.declare('web', { process: longRun(), files: [{ path, content: 'good\n', onChange: 'none' }] })
  await lab.apply()
  setMode(lab, 'report')
  const controller = await lab.run()
  for (let round = 0; round < 4; round += 1) {
    for (const [content, pending] of [
      ['bad\n', 'to do: write-file'],
      ['good\n', undefined],
    ] as const) {
      writeFileSync(path, content)
      await eventually(`${pending} to be told`, async () => (await pendingOf(controller)).web === pending)
    }
  }
  expect((await controller.status('web'))?.conditions.map(({ type }) => type)).not.toContain('Undone')
  expect(controller.log.filter(({ message }) => message.includes('brings it about again'))).toEqual([])
})

test.concurrent('whatever asks for it, no step is carried out in report mode', async () => {
  await using lab = createEngineLab()
  setMode(lab, 'reconcile')
  lab.declare('web', { process: longRun() })
  await lab.apply()
  const { pid } = await lab.observe('web')
  lab.declare('web', { process: longRun(1) })
  setMode(lab, 'report')
  const session = await lab.open()
  await expect(applyOnce(session, ways())).rejects.toThrow('carrying out a plan: this host is in report mode')
  await expect(takeDown(session, [], ways())).rejects.toThrow('carrying out a plan: this host is in report mode')
  expect(await lab.observe('web')).toMatchObject({ state: 'running', pid })
})
