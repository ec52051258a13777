import { chmodSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { expect, test } from 'vitest'
import { eventually } from '../../../src/conformance/eventually.ts'
import { openControl } from '../../../src/engine/control/control-access.ts'
import {
  conditionOf,
  createEngineLab,
  type EngineLab,
  longRun,
  planOf,
  reasonOf,
  type Spec,
  stepsOf,
} from '../../labs/engine-lab.ts'

/** In ms, on a busy machine. */
const timeout = 300_000

const clean = { failed: [], notReady: [] }

/** Process that runs only with a secret. */
function withSecret(lab: EngineLab, mark = 0): Spec {
  return { process: { ...longRun(mark), environment: { TOKEN: { fromFile: lab.path('token') } } } }
}

test.concurrent('a start need provided by its own files or its dependencies is met, one provided by others may come too late', {
  timeout,
}, async () => {
  await using lab = createEngineLab()
  const [program, env] = [lab.path('run'), lab.path('env')]
  const brings = (path: string, content: string, mode: string): Spec => ({
    process: longRun(),
    files: [{ path, content, mode }],
  })
  const web = (more: Spec = {}): Spec => ({ process: { command: [program], environmentFiles: [env] }, ...more })
  lab.declare('tools', brings(program, '#!/bin/sh\nexec sleep 1000000\n', '0755'))
  lab.declare('web', web({ files: [{ path: env, content: 'A=1\n' }] }))
  const [told] = (await lab.plan()).diagnostics
  expect(told?.message).toContain(
    `there is no program ${program}; facility tools brings it, and this one does not wait for that: declare dependsOn: [tools]`,
  )
  expect(told?.message).not.toContain(env)
  lab.declare('web', web({ files: [{ path: env, content: 'A=1\n' }], dependsOn: ['tools'] }))
  expect((await lab.plan()).diagnostics).toEqual([])
  expect(await lab.apply()).toMatchObject(clean)

  // A file to be written counts with its declared mode and content.
  lab.declare('tools', brings(program, '#!/nowhere/sh\n', '0755'))
  lab.declare('web', web({ files: [{ path: env, content: 'A=2\n' }], dependsOn: ['tools'] }))
  expect(planOf(await lab.plan(), 'web')?.blocked).toContain('there is no program /nowhere/sh')
  lab.declare('tools', brings(program, '#!/bin/sh\nexec sleep 1000000\n', '0644'))
  expect(planOf(await lab.plan(), 'web')?.blocked).toContain('is not executable')
})

test.concurrent('a controller keeps the service running, reports why, and continues once the need is met', {
  timeout,
}, async () => {
  await using lab = createEngineLab({ configuration: 'resync: 10m' })
  writeFileSync(lab.path('token'), 'hunter2')
  lab.declare('web', withSecret(lab))
  const controller = await lab.run()
  const { pid } = await controller.ready('web')
  renameSync(lab.path('token'), lab.path('elsewhere'))
  lab.declare('web', withSecret(lab, 1))
  await eventually('it to be told of', async () => reasonOf(await controller.status('web'), 'Stalled') === 'Blocked')
  expect(await controller.status('web')).toMatchObject({ state: 'running', pid })
  expect(controller.log.map(({ message }) => message).join('\n')).toContain('there is no file')
  expect(JSON.stringify([controller.log, await controller.status('web')])).not.toContain('hunter2')
  renameSync(lab.path('elsewhere'), lab.path('token'))
  // Long before the next full refresh, after 30 s.
  await eventually('the new one to run', async () => (await controller.status('web'))?.pid !== pid, 25_000)
  const after = await controller.ready('web')
  expect(conditionOf(after, 'Stalled')).toBe('False')
  expect(controller.steps().filter(step => step === 'web/restart')).toEqual(['web/restart'])
})

test.concurrent('a service that can no longer start when its turn comes is not stopped either', {
  timeout,
}, async () => {
  await using lab = createEngineLab()
  const command = (mark: number): Spec => ({ command: [lab.path('run'), String(mark)] })
  writeFileSync(lab.path('run'), '#!/bin/sh\nexec sleep 1000000\n', { mode: 0o755 })
  lab.declare('web', { process: command(1) })
  expect(await lab.apply()).toMatchObject(clean)
  const { pid } = await lab.observe('web')
  lab.declare('web', { process: command(2) })
  const outcome = await lab.apply({
    listener(event) {
      if (event.type === 'step-finished' && event.step.verb === 'install') chmodSync(lab.path('run'), 0o644)
    },
  })
  expect(outcome.failed).toMatchObject([{ facility: 'web', message: expect.stringContaining('is not executable') }])
  expect(await lab.observe('web')).toMatchObject({ state: 'running', pid })
  chmodSync(lab.path('run'), 0o755)
  expect(await lab.apply()).toMatchObject(clean)
})

test.concurrent('an environment file that no start can read causes a warning first, and stops no running service', {
  timeout,
}, async () => {
  await using lab = createEngineLab()
  const env = lab.path('env')
  const web = (mark: number): Spec => ({ process: { ...longRun(mark), environmentFiles: [env] } })
  writeFileSync(env, 'export A=1\n')
  lab.declare('web', web(1))
  const plan = await lab.plan()
  expect(planOf(plan, 'web')?.blocked).toBeUndefined()
  expect(plan.diagnostics[0]?.message).toContain(`expected KEY=value in line 1 of ${env}`)
  expect((await lab.apply()).failed).toMatchObject([{ facility: 'web' }])
  writeFileSync(env, 'A=1\n')
  expect(await lab.apply()).toMatchObject(clean)
  const { pid } = await lab.observe('web')
  writeFileSync(env, 'export A=1\n')
  lab.declare('web', web(2))
  expect(planOf(await lab.plan(), 'web')?.blocked).toContain(`in line 1 of ${env}`)
  await lab.apply()
  expect(await lab.observe('web')).toMatchObject({ state: 'running', pid })
})

test.concurrent('a manual restart is refused, a stop is not', { timeout }, async () => {
  await using lab = createEngineLab()
  mkdirSync(lab.path('secrets'))
  const file = lab.path('secrets', 'token')
  writeFileSync(file, 'x')
  lab.declare('web', { process: { ...longRun(), environment: { TOKEN: { fromFile: file } } } })
  await lab.apply()
  const { pid } = await lab.observe('web')
  rmSync(dirname(file), { recursive: true })
  const control = await openControl(await lab.open())
  for (const verb of ['restart', 'reload'] as const) {
    await expect(control.act(verb, 'web')).rejects.toThrow(`there is no file ${file} for the secret of variable TOKEN`)
  }
  expect(await lab.observe('web')).toMatchObject({ state: 'running', pid })
  expect(stepsOf(await lab.plan())).toEqual([])
  await control.act('stop', 'web')
  expect((await lab.observe('web')).state).toBe('stopped')
})

test.concurrent('a move to another supervisor is blocked, and the old service keeps running', { timeout }, async () => {
  await using lab = createEngineLab()
  lab.declareSupervisor('other')
  lab.declare('web', { process: longRun() })
  await lab.apply()
  const { pid } = await lab.observe('web')
  lab.declare('web', { supervisor: 'other', process: { command: ['/nowhere/web'] } })
  const plan = await lab.plan()
  expect(planOf(plan, 'web')).toMatchObject({ steps: [], blocked: expect.stringContaining('/nowhere/web') })
  await lab.apply()
  lab.declare('web', { process: longRun() })
  expect(await lab.observe('web')).toMatchObject({ state: 'running', pid })
})

test.concurrent('a service that was given up, or never came up, is never up to date', { timeout }, async () => {
  await using lab = createEngineLab()
  lab.declare('gone', { process: { command: ['/nowhere/web'], restart: { policy: 'never' } } })
  lab.declare('typo', { process: { command: ['/nowhere/web'], restart: { policy: 'on-failure', delay: '60s' } } })
  const outcome = await lab.apply()
  expect([...outcome.failed, ...outcome.notReady].map(({ facility }) => facility).sort()).toEqual(['gone', 'typo'])
  const plan = await lab.plan()
  expect(plan.diagnostics.map(({ message }) => message)).toEqual([
    'facility gone cannot start on this host: there is no program /nowhere/web',
    'facility typo cannot start on this host: there is no program /nowhere/web',
  ])
  const { facilities } = await (await openControl(await lab.open())).status()
  for (const status of facilities) {
    expect(conditionOf(status, 'Ready')).toBe('False')
    expect(reasonOf(status, 'Reconciling')).not.toBe('AsDeclared')
    expect(JSON.stringify(status.conditions)).toContain('there is no program /nowhere/web')
  }
})
