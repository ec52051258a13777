import { expect, test } from 'vitest'
import { eventually } from '../../../src/conformance/eventually.ts'
import type { EngineEvent } from '../../../src/core/contracts/engine-event.ts'
import { openControl } from '../../../src/engine/control/control-access.ts'
import { takeDown } from '../../../src/engine/execution/down.ts'
import { readSuspended } from '../../../src/engine/session/state-files.ts'
import { createReadHost } from '../../../src/host/read-host.ts'
import { createEngineLab, type EngineLab, longRun, planOf, reasonOf, stepsOf } from '../../labs/engine-lab.ts'
import { createMeddledProvider } from '../../tools/meddled-provider.ts'

function marks(lab: EngineLab): string[] {
  return [...readSuspended(lab.stateDirectory, createReadHost())]
}

test.concurrent('a suspended facility is told apart from one that is up to date, with its state', async () => {
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

test.concurrent('down ends the suspension of what it removes: declared again, it comes back', async () => {
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

test.concurrent('the controller logs suspensions and resumptions', async () => {
  await using lab = createEngineLab()
  lab.declare('web', { process: longRun() })
  const controller = await lab.run()
  await controller.ready('web')
  await controller.control.suspend('web')
  await controller.control.resume('web')
  const said = controller.log.filter(({ fields }) => fields.trigger !== undefined)
  expect(said.map(({ level, fields, message }) => [level, fields.facility, message])).toEqual([
    ['info', 'web', 'web: suspended (requested manually)'],
    ['info', 'web', 'web: resumed (requested manually)'],
  ])
})

test.concurrent('a suspension can be lifted even if nothing else is known of the facility', async () => {
  await using lab = createEngineLab()
  lab.declare('web', { process: longRun(), suspend: true })
  const control = await openControl(await lab.open())
  await control.suspend('web')
  lab.withdraw('web')
  expect(await control.resume('web')).toEqual({ changed: true, message: 'web is reconciled again' })
  expect(marks(lab)).toEqual([])
})

test.concurrent('a running removal is aborted by a suspension', async () => {
  const meddled = createMeddledProvider()
  await using lab = createEngineLab({ configuration: 'resync: 1s', providers: [meddled.provider] })
  lab.declare('web', { process: longRun() })
  const controller = await lab.run()
  await controller.ready('web')
  let isHeld = true
  meddled.before = async ({ id }) => {
    while (isHeld && id === 'web/stop') await new Promise(resolve => setTimeout(resolve, 10))
  }
  lab.withdraw('web')
  const ended = (): EngineEvent | undefined =>
    controller.events.find(event => event.type === 'step-finished' && event.step.id === 'web/remove')
  await eventually('the removal to be under way', () =>
    controller.events.some(event => event.type === 'step-started' && event.step.id === 'web/stop'),
  )
  await controller.control.suspend('web')
  isHeld = false
  await eventually('it to end', () => ended() !== undefined)
  expect(ended()).not.toMatchObject({ result: 'done' })
  expect(reasonOf(await controller.status('web'), 'Reconciling')).toBe('Suspended')
})
