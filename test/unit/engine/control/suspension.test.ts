import { expect, test } from 'vitest'
import type { Control } from '../../../../src/core/contracts/control.ts'
import { createDirectControl } from '../../../../src/engine/control/direct-control.ts'
import { takeDown } from '../../../../src/engine/execution/down.ts'
import { readSuspended } from '../../../../src/engine/session/state-files.ts'
import { createReadHost } from '../../../../src/host/read-host.ts'
import { planOf, stepsOf } from '../../../labs/engine-lab.ts'
import { createEngineWorld, type EngineWorld } from '../../../simulation/engine-world.ts'

const run = (mark = 1): object => ({ process: { command: ['/bin/sleep', String(mark)] } })

const ways = ['with a controller', 'without one'] as const

interface Ground extends EngineWorld {
  /** Its answers come as the clock advances. */
  readonly asked: Pick<Control, 'act' | 'suspend' | 'resume'>
  marks(): string[]
}

/** Host on which these are applied. */
async function openGround(way: (typeof ways)[number], specs: Readonly<Record<string, object>>): Promise<Ground> {
  const isRunning = way === 'with a controller'
  const world = await createEngineWorld({ isRunning })
  for (const [name, spec] of Object.entries(specs)) world.declare(name, spec, true)
  if (isRunning) await world.clock.advance(10_000)
  else await world.apply()
  const control = isRunning ? world.control : createDirectControl(world.session)
  const { advanceUntil } = world.clock
  const asked: Ground['asked'] = {
    act: (...args) => advanceUntil(control.act(...args)),
    suspend: name => advanceUntil(control.suspend(name)),
    resume: name => advanceUntil(control.resume(name)),
  }
  const { stateDirectory } = world.session.configuration
  return { ...world, asked, marks: () => [...readSuspended(stateDirectory, createReadHost())] }
}

test.for(ways)('--suspend reports the suspension, even if there is nothing else to do, %s', async way => {
  await using world = await openGround(way, { off: { ...run(), state: 'stopped' }, web: run() })
  const message = 'off is stopped already, and suspended until reeve resume off'
  expect(await world.asked.act('stop', 'off', { suspend: true })).toEqual({ changed: true, message })
  expect(await world.asked.act('stop', 'off', { suspend: true })).toEqual({ changed: false, message })
  const stopped = await world.asked.act('stop', 'web', { suspend: true })
  expect(stopped.message).toBe('web stopped, and suspended until reeve resume web')
  expect(world.marks()).toEqual(['off', 'web'])
})

test.for(ways)('an impossible action suspends nothing, %s', async way => {
  await using world = await openGround(way, { off: { ...run(), state: 'stopped' } })
  await expect(world.asked.act('reload', 'off', { suspend: true })).rejects.toThrow('expected it to be running')
  expect(world.marks()).toEqual([])
})

test.for(ways)('a failed action suspends all the same, and reports it, %s', async way => {
  await using world = await openGround(way, { web: run() })
  world.meddled.before = ({ id }) => {
    if (id === 'web/stop') throw new Error('no luck')
  }
  await expect(world.asked.act('stop', 'web', { suspend: true })).rejects.toThrow(
    /no luck; web is suspended all the same, until reeve resume web/,
  )
  expect(world.marks()).toEqual(['web'])
})

test.for(ways)('a facility without a manifest can be suspended while it is owned, %s', async way => {
  await using world = await openGround(way, { one: run(), two: run() })
  for (const name of ['one', 'two']) world.declare(name, undefined, true)
  const outcome = await world.asked.act('stop', 'one', { suspend: true })
  expect(outcome.message).toBe('one stopped, and suspended until reeve resume one')
  expect((await world.asked.suspend('two')).changed).toBe(true)
  expect(world.marks()).toEqual(['one', 'two'])
  await world.clock.advance(60_000)
  expect((await world.plan()).facilities.flatMap(({ steps }) => steps)).toEqual([])
  expect([world.pid('one'), world.pid('two') !== undefined]).toEqual([undefined, true])
})

test.for(ways)('suspending and resuming is in the history, %s', async way => {
  await using world = await openGround(way, { web: run() })
  const before = world.history().length
  await world.asked.suspend('web')
  await world.asked.suspend('web')
  await world.asked.resume('web')
  await world.asked.act('stop', 'web', { suspend: true })
  const told = world.history().slice(before)
  expect(told.map(({ step, trigger, reason }) => [step, trigger, reason])).toEqual([
    ['web/suspend', 'reeve suspend', 'requested'],
    ['web/resume', 'reeve resume', 'requested'],
    ['web/suspend', 'reeve stop', 'requested'],
    ['web/stop', 'reeve stop', 'requested'],
  ])
  expect(told[0]).toMatchObject({
    facility: 'web',
    supervisor: 'alpha',
    service: 'web',
    verb: 'suspend',
    result: 'done',
  })
})

test.for(ways)('only an existing facility can be suspended and resumed, %s', async way => {
  await using world = await openGround(way, { web: run() })
  for (const ask of [world.asked.suspend, world.asked.resume]) {
    await expect(ask('nope')).rejects.toMatchObject({ code: 'not-found', message: expect.stringContaining('nope') })
  }
  expect(await world.asked.resume('web')).toEqual({ changed: false, message: 'web is not suspended' })
})

test('a suspended facility is told apart from one that is up to date, with its state', async () => {
  await using world = await openGround('without one', { web: run(), db: run() })
  world.declare('off', { ...run(), suspend: true }, false)
  await world.asked.act('stop', 'web', { suspend: true })
  const outcome = await world.apply()
  expect(outcome.stepsDone).toBe(0)
  expect(outcome.suspended).toEqual([
    { facility: 'off', state: 'absent', declared: 'running' },
    { facility: 'web', state: 'stopped', declared: 'running' },
  ])
  expect(outcome.plan.facilities.flatMap(({ name, suspended }) => (suspended ? name : []))).toEqual(['off', 'web'])
  expect(planOf(outcome.plan, 'db')).not.toHaveProperty('suspended')
})

test('down ends the suspension of what it removes: declared again, it comes back', async () => {
  await using world = await openGround('without one', { web: run(), db: run() })
  for (const name of ['web', 'db']) await world.asked.suspend(name)
  const ways = { signal: new AbortController().signal, listener() {} }
  await world.clock.advanceUntil(takeDown(world.session, ['web'], ways))
  expect(world.marks()).toEqual(['db'])
  expect(stepsOf(await world.plan())).toEqual(['web/install', 'web/enable', 'web/start'])
  await world.apply()
  expect(world.pid('web')).toBeDefined()
})

test('the controller logs suspensions and resumptions', async () => {
  await using world = await openGround('with a controller', { web: run() })
  await world.asked.suspend('web')
  await world.asked.resume('web')
  const said = world.log.filter(({ fields }) => fields.trigger !== undefined)
  expect(said.map(({ level, fields, message }) => [level, fields.facility, message])).toEqual([
    ['info', 'web', 'web: suspended (requested manually)'],
    ['info', 'web', 'web: resumed (requested manually)'],
  ])
})

test('a suspension can be lifted even if nothing else is known of the facility', async () => {
  await using world = await openGround('without one', {})
  world.declare('web', { ...run(), suspend: true }, false)
  await world.asked.suspend('web')
  world.declare('web', undefined, false)
  expect(await world.asked.resume('web')).toEqual({ changed: true, message: 'web is reconciled again' })
  expect(world.marks()).toEqual([])
})

test('a running removal is aborted by a suspension', async () => {
  await using world = await openGround('with a controller', { web: run() })
  let release = (): void => {}
  const released = new Promise<void>(resolve => {
    release = resolve
  })
  world.meddled.before = ({ id }) => (id === 'web/stop' ? released : undefined)
  world.declare('web', undefined, true)
  await world.clock.advance(60_000)
  const typesOf = (id: string) =>
    world.events.flatMap(event =>
      'step' in event && event.step.id === id ? [event.type === 'step-finished' ? event.result : event.type] : [],
    )
  expect(typesOf('web/stop').at(-1)).toBe('step-started')
  await world.asked.suspend('web')
  release()
  await world.clock.advance(30_000)
  expect(typesOf('web/remove')).not.toContain('done')
  expect(typesOf('web/remove')).not.toEqual([])
  expect(world.condition('web', 'Reconciling')?.reason).toBe('Suspended')
})
