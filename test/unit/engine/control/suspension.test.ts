import { expect, test } from 'vitest'
import type { Control } from '../../../../src/core/contracts/control.ts'
import { createDirectControl } from '../../../../src/engine/control/direct-control.ts'
import { readHistory } from '../../../../src/engine/session/history.ts'
import { readSuspended } from '../../../../src/engine/session/state-files.ts'
import { createReadHost } from '../../../../src/host/read-host.ts'
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
  const history = () => readHistory(world.session.configuration.stateDirectory, createReadHost())
  const before = history().length
  await world.asked.suspend('web')
  await world.asked.suspend('web')
  await world.asked.resume('web')
  await world.asked.act('stop', 'web', { suspend: true })
  const told = history().slice(before)
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
