import { rmSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { eventually } from '../../../src/conformance/eventually.ts'
import { isAlive } from '../../../src/conformance/lab.ts'
import { conditionOf, createEngineLab, healthyWith, longRun, reasonOf } from '../../labs/engine-lab.ts'

const quick = 'resync: 1s'

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
