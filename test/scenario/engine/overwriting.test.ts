import { readFileSync } from 'node:fs'
import { expect, test, vi } from 'vitest'
import { eventually } from '../../../src/conformance/eventually.ts'
import { createEngineLab, type EngineLab, reasonOf, type Spec, stepsOf, untilAtRest } from '../../labs/engine-lab.ts'

vi.setConfig({ testTimeout: 60_000 })

/**
 * Reads its configuration as it starts, appends it to `read`, and writes it back as it ends; `always` is run over and over.
 */
function scribe(lab: EngineLab, content: string, always = ''): Spec {
  const file = lab.path('web.conf')
  const read = `memory=$(cat ${file}); echo "$memory" >> ${lab.path('read')}`
  const writeBack = `trap 'echo "$memory" > ${file}; exit 0' TERM`
  const script = `${read}; ${writeBack}; while :; do sleep 0.1; ${always} done`
  return {
    process: { command: ['/bin/sh', '-c', script] },
    files: [{ path: file, content: `${content}\n` }],
  }
}

const configuration = (lab: EngineLab): string => readFileSync(lab.path('web.conf'), 'utf8')

test.concurrent('PITFALLS 24: a program that writes its configuration as it ends gets the new one', async () => {
  await using lab = createEngineLab()
  lab.declare('web', scribe(lab, 'one'))
  await lab.apply()
  await eventually('it to have read', () => lab.lines('read').length === 1)
  lab.declare('web', scribe(lab, 'two'))
  const outcome = await lab.apply()
  expect([outcome.failed, outcome.notReady]).toEqual([[], []])
  expect(configuration(lab)).toBe('two\n')
  await eventually('it to have read the new one', () => lab.lines('read').at(-1) === 'two')
  expect(stepsOf(await lab.plan())).toEqual([])
  expect(lab.history().map(({ reason }) => reason)).toContain('overwritten')
})

test.concurrent('PITFALLS 24: the controller converges with such a program', async () => {
  await using lab = createEngineLab()
  lab.declare('web', scribe(lab, 'one'))
  const controller = await lab.run()
  await controller.ready('web')
  await eventually('it to have read', () => lab.lines('read').length === 1)
  lab.declare('web', scribe(lab, 'two'))
  await eventually('it to have read the new one', () => lab.lines('read').at(-1) === 'two')
  await controller.ready('web')
  await untilAtRest(() => controller.steps().length)
  expect(configuration(lab)).toBe('two\n')
})

test.concurrent.each([
  ['is declared stopped with it', { state: 'stopped' }],
  ['moves with it, and its state is not managed', { state: 'unmanaged', serviceName: 'elsewhere' }],
])('E3, PITFALLS 24: a changed file stays as declared if the program %s', async (_title, more) => {
  await using lab = createEngineLab()
  lab.declare('web', scribe(lab, 'one'))
  await lab.apply()
  await eventually('it to have read', () => lab.lines('read').length === 1)
  lab.declare('web', { ...scribe(lab, 'two'), ...more })
  const outcome = await lab.apply()
  expect([outcome.failed, outcome.notReady]).toEqual([[], []])
  expect(configuration(lab)).toBe('two\n')
  expect(stepsOf(await lab.plan())).toEqual([])
  expect(lab.lines('read')).toEqual(['one'])
})

test.concurrent('E11: a program that overwrites its file continuously is Stalled, and named as the writer', async () => {
  await using lab = createEngineLab()
  lab.declare('web', scribe(lab, 'one'))
  await lab.apply()
  const own = `echo own > ${lab.path('web.conf')};`
  lab.declare('web', { ...scribe(lab, 'two', own), health: { exec: { command: ['/bin/true'] } } })
  const controller = await lab.run()
  await eventually('it to be stalled', async () => reasonOf(await controller.status('web'), 'Stalled') === 'Failing')
  const stalled = (await controller.status('web'))?.conditions.find(({ type }) => type === 'Stalled')
  expect(stalled?.message).toContain(lab.path('web.conf'))
})
