import { expect, test } from 'vitest'
import { takeDown } from '../../src/engine/apply.ts'
import { openControl } from '../../src/engine/control-access.ts'
import { readSuspended } from '../../src/engine/state-files.ts'
import { createReadHost } from '../../src/host/read-host.ts'
import { createEngineLab, type EngineLab, longRun, planOf, stepsOf } from '../engine-lab.ts'

function marks(lab: EngineLab): string[] {
  return [...readSuspended(lab.stateDirectory, createReadHost())]
}

test.concurrent('what is suspended is told apart from what is as declared, with the state that it is in', async () => {
  await using lab = createEngineLab()
  lab.declare('web', { process: longRun() })
  lab.declare('db', { process: longRun() })
  lab.declare('off', { process: longRun(), suspend: true })
  await lab.apply()
  const control = await openControl(await lab.open())
  await control.suspend('web')
  await control.act('stop', 'web')
  const outcome = await lab.apply()
  expect(outcome.stepsDone).toBe(0)
  expect(outcome.suspended).toEqual([
    { facility: 'off', state: 'absent', declared: 'running' },
    { facility: 'web', state: 'stopped', declared: 'running' },
  ])
  expect(outcome.plan.facilities.flatMap(({ name, suspended }) => (suspended ? name : []))).toEqual(['off', 'web'])
  expect(planOf(outcome.plan, 'db')).not.toHaveProperty('suspended')
})

test.concurrent('what down removes is suspended no more: declared again, it comes back', async () => {
  await using lab = createEngineLab()
  for (const name of ['web', 'db']) lab.declare(name, { process: longRun() })
  await lab.apply()
  const session = await lab.open()
  const control = await openControl(session)
  for (const name of ['web', 'db']) await control.suspend(name)
  const ways = { signal: new AbortController().signal, listener() {} }
  await takeDown(session, ['web'], ways)
  expect(marks(lab)).toEqual(['db'])
  expect(stepsOf(await lab.plan())).toEqual(['web/install', 'web/enable', 'web/start'])
  await lab.apply()
  expect((await lab.observe('web')).state).toBe('running')
})
