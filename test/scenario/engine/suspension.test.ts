import { expect, test } from 'vitest'
import { eventually } from '../../../src/conformance/eventually.ts'
import type { Control } from '../../../src/core/contracts/control.ts'
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

const ways = ['with a controller', 'without one'] as const

async function controlOf(lab: EngineLab, way: (typeof ways)[number]): Promise<Control> {
  return way === 'without one' ? openControl(await lab.open()) : (await lab.run()).control
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

test.concurrent.for(ways)('--suspend reports the suspension, even if there is nothing else to do, %s', async way => {
  await using lab = createEngineLab()
  lab.declare('off', { process: longRun(), state: 'stopped' })
  lab.declare('web', { process: longRun() })
  await lab.apply()
  const control = await controlOf(lab, way)
  expect(await control.act('stop', 'off', { suspend: true })).toEqual({
    changed: true,
    message: 'off is stopped already, and suspended until reeve resume off',
  })
  const again = await control.act('stop', 'off', { suspend: true })
  expect(again).toEqual({ changed: false, message: 'off is stopped already, and suspended until reeve resume off' })
  const stopped = await control.act('stop', 'web', { suspend: true })
  expect(stopped.message).toBe('web stopped, and suspended until reeve resume web')
  expect(marks(lab)).toEqual(['off', 'web'])
})

test.concurrent.for(ways)('an impossible action suspends nothing, %s', async way => {
  await using lab = createEngineLab()
  lab.declare('off', { process: longRun(), state: 'stopped' })
  await lab.apply()
  const control = await controlOf(lab, way)
  await expect(control.act('reload', 'off', { suspend: true })).rejects.toThrow('expected it to be running')
  expect(marks(lab)).toEqual([])
})

test.concurrent.for(ways)('a failed action suspends all the same, and reports it, %s', async way => {
  const meddled = createMeddledProvider()
  await using lab = createEngineLab({ providers: [meddled.provider] })
  lab.declare('web', { process: longRun() })
  await lab.apply()
  const control = await controlOf(lab, way)
  meddled.before = ({ id }) => {
    if (id === 'web/stop') throw new Error('no luck')
  }
  await expect(control.act('stop', 'web', { suspend: true })).rejects.toThrow(
    /no luck; web is suspended all the same, until reeve resume web/,
  )
  expect(marks(lab)).toEqual(['web'])
})

test.concurrent.for(ways)('a facility without a manifest can be suspended while it is owned, %s', async way => {
  await using lab = createEngineLab({ configuration: 'removalLimit: { count: 0, fraction: 0 }' })
  for (const name of ['one', 'two']) lab.declare(name, { process: longRun() })
  await lab.apply()
  for (const name of ['one', 'two']) lab.withdraw(name)
  const control = await controlOf(lab, way)
  const outcome = await control.act('stop', 'one', { suspend: true })
  expect(outcome.message).toBe('one stopped, and suspended until reeve resume one')
  expect((await control.suspend('two')).changed).toBe(true)
  expect(marks(lab)).toEqual(['one', 'two'])
  expect(stepsOf(await lab.plan())).toEqual([])
})

test.concurrent.for(ways)('suspending and resuming is in the history, %s', async way => {
  await using lab = createEngineLab()
  lab.declare('web', { process: longRun() })
  await lab.apply()
  const control = await controlOf(lab, way)
  const before = lab.history().length
  await control.suspend('web')
  await control.suspend('web')
  await control.resume('web')
  await control.act('stop', 'web', { suspend: true })
  const told = lab.history().slice(before)
  expect(told.map(({ step, trigger, reason }) => [step, trigger, reason])).toEqual([
    ['web/suspend', 'reeve suspend', 'requested'],
    ['web/resume', 'reeve resume', 'requested'],
    ['web/suspend', 'reeve stop', 'requested'],
    ['web/stop', 'reeve stop', 'requested'],
  ])
  expect(told[0]).toMatchObject({ facility: 'web', supervisor: 'lab', service: 'web', verb: 'suspend', result: 'done' })
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

test.concurrent.for(ways)('only an existing facility can be suspended and resumed, %s', async way => {
  await using lab = createEngineLab()
  lab.declare('web', { process: longRun() })
  await lab.apply()
  const control = await controlOf(lab, way)
  for (const ask of [control.suspend, control.resume]) {
    await expect(ask('nope')).rejects.toMatchObject({ code: 'not-found', message: expect.stringContaining('nope') })
  }
  expect(await control.resume('web')).toEqual({ changed: false, message: 'web is not suspended' })
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
