import { rmSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { eventually } from '../../../src/conformance/eventually.ts'
import { isAlive } from '../../../src/conformance/lab.ts'
import { conditionOf, createEngineLab, healthyWith, longRun, reasonOf } from '../../labs/engine-lab.ts'
import { createMeddledProvider } from '../../tools/meddled-provider.ts'

const quick = 'resync: 1s'

test.concurrent('E11: a failing step is retried with growing delays, the facility becomes Stalled, and a new manifest resets it', async () => {
  const meddled = createMeddledProvider()
  await using lab = createEngineLab({ configuration: quick, providers: [meddled.provider] })
  lab.declare('web', { process: longRun(), files: [{ path: lab.path('a.conf'), content: 'a\n', onChange: 'reload' }] })
  lab.declare('db', { process: longRun() })
  const controller = await lab.run()
  await controller.ready('web')
  await controller.ready('db')
  const tries: number[] = []
  meddled.before = ({ id }) => {
    if (id !== 'web/restart') return
    tries.push(Date.now())
    throw new Error('no luck')
  }
  lab.declare('web', { process: longRun(), files: [{ path: lab.path('a.conf'), content: 'b\n', onChange: 'reload' }] })
  await eventually('the third failure', () => tries.length >= 3)
  const gaps = tries.slice(1).map((at, index) => at - (tries[index] ?? 0))
  expect(gaps[0]).toBeGreaterThanOrEqual(790)
  expect(gaps[1]).toBeGreaterThanOrEqual(1_590)
  await eventually('it to be Stalled', async () => conditionOf(await controller.status('web'), 'Stalled') === 'True')
  const status = await controller.status('web')
  expect(status?.conditions.find(({ type }) => type === 'Stalled')?.message).toContain('no luck')
  expect(conditionOf(await controller.status('db'), 'Ready')).toBe('True')

  meddled.before = () => {}
  lab.declare('web', { process: longRun(3), files: [{ path: lab.path('a.conf'), content: 'b\n', onChange: 'reload' }] })
  const began = Date.now()
  await controller.ready('web')
  expect(Date.now() - began).toBeLessThan(3_000)
  expect(conditionOf(await controller.status('web'), 'Stalled')).toBe('False')
})

test.concurrent('E11: a crash-looping service is not Ready, and Reeve leaves its restarts to the supervisor', async () => {
  await using lab = createEngineLab({ configuration: quick })
  lab.declare('web', {
    process: { command: ['/bin/sh', '-c', `echo x >> ${lab.path('runs')}; exit 3`], restart: { delay: '200ms' } },
  })
  const controller = await lab.run()
  await eventually(
    'it to be in a crash loop',
    async () => reasonOf(await controller.status('web'), 'Stalled') === 'CrashLooping',
  )
  expect(conditionOf(await controller.status('web'), 'Ready')).toBe('False')
  await eventually('it to have been started some times', () => lab.lines('runs').length >= 4)
  expect(controller.steps().filter(id => id !== 'web/start')).toEqual(['web/install', 'web/enable'])
  expect(controller.steps().filter(id => id === 'web/start')).toHaveLength(1)
  lab.declare('web', { process: longRun() })
  await controller.ready('web')
})

test.concurrent('E11: a step that is due again and again is repeated with pauses', async () => {
  const meddled = createMeddledProvider()
  await using lab = createEngineLab({ configuration: quick, providers: [meddled.provider] })
  lab.declare('web', { process: longRun() })
  // The supervisor reports a start, and then a stopped service.
  meddled.bend = observed =>
    observed.service === 'web' && observed.state === 'running' ? { ...observed, state: 'stopped' } : observed
  const controller = await lab.run()
  const starts = (): number => controller.steps().filter(id => id === 'web/start').length
  await eventually(
    'it to be Stalled',
    async () => conditionOf(await controller.status('web'), 'Stalled') === 'True',
    30_000,
  )
  expect(starts()).toBeLessThanOrEqual(5)
})

test.concurrent('E11: a failing health check restarts the service only where the manifest says so', async () => {
  await using lab = createEngineLab({ configuration: quick })
  for (const name of ['a', 'b']) writeFileSync(lab.path(name), '')
  const health = (file: string, onFailure: string) => healthyWith(lab, file, { failureThreshold: 2, onFailure })
  lab.declare('a', { process: longRun(), health: health('a', 'restart') })
  lab.declare('b', { process: longRun(), health: health('b', 'report') })
  const controller = await lab.run()
  const a = await controller.ready('a')
  const b = await controller.ready('b')
  for (const name of ['a', 'b']) rmSync(lab.path(name))
  await eventually('both to be unhealthy', async () => (await controller.status('b'))?.health === 'unhealthy')
  await eventually('a to be restarted', () => controller.steps().includes('a/restart'))
  expect(isAlive(a.pid ?? 0)).toBe(false)
  expect((await controller.status('b'))?.pid).toBe(b.pid)
  writeFileSync(lab.path('a'), '')
  await eventually('a to be ready', async () => conditionOf(await controller.status('a'), 'Ready') === 'True')
})
