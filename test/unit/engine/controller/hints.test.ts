import { expect, test } from 'vitest'
import { createEngineWorld } from '../../../simulation/engine-world.ts'

test('E1: a hint has only its facility observed, and what is blocked because of it is planned anew', async () => {
  await using world = await createEngineWorld({ resync: 10_000_000 })
  const { clock, meddled, supervisor } = world
  const key = (service: string): string => `${world.directory('alpha')}/${service}`
  const stateOf = (service: string) => supervisor.services.get(key(service))?.state
  const observed = new Set<string>()
  let isKnown = true
  meddled.bend = one => {
    observed.add(one.service)
    if (one.service !== 'db' || isKnown) return one
    return { service: 'db', state: 'unknown', enabled: 'unknown', supervised: false, message: 'no idea' }
  }
  world.declare('db', { process: { command: ['/bin/db'] } }, true)
  world.declare('web', { process: { command: ['/bin/web'] }, dependsOn: ['db'] }, true)
  world.declare('other', { process: { command: ['/bin/other'] } }, true)
  const blocked = (): boolean[] =>
    world.status().facilities.map(({ conditions }) => conditions.some(({ reason }) => reason === 'Blocked'))
  await clock.advance(60_000)
  expect([stateOf('db'), stateOf('web'), stateOf('other')]).toEqual(['running', 'running', 'running'])
  observed.clear()
  isKnown = false
  supervisor.enable(key('db'), true)
  await clock.advance(1_000)
  await supervisor.stop(key('web'), true)
  await clock.advance(1_000)
  expect([blocked(), stateOf('web')]).toEqual([[true, false, true], 'stopped'])
  isKnown = true
  supervisor.enable(key('db'), true)
  await clock.advance(30_000)
  expect(stateOf('web')).toBe('running')
  expect([blocked(), [...observed].sort()]).toEqual([
    [false, false, false],
    ['db', 'web'],
  ])
})
