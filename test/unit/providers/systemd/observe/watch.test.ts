import { expect, test } from 'vitest'
import { watchManager } from '../../../../../providers/systemd/observe/watch.ts'
import { layoutOf } from '../../../../../providers/systemd/units/layout.ts'
import { eventually } from '../../../../../src/conformance/eventually.ts'
import type { Bus, BusSignal } from '../../../../../src/core/contracts/bus.ts'
import type { ReadHost } from '../../../../../src/core/contracts/host.ts'
import { createClock } from '../../../../../src/host/clock.ts'
import { createReadHost } from '../../../../../src/host/read-host.ts'

/** Facilities that a change of `web.service` may concern: its own, and those of packaged units that may start it. */
const ofWeb = ['web', 'web.service', 'web.timer', 'web.socket', 'web.path']

/** Manager whose signals come when a test says so, unlike those of a real one. */
interface ToldManager extends Disposable {
  /** Services that were hinted; `*` is all of them. */
  readonly hints: string[]
  readonly subscribed: number
  connect(isConnected: boolean): void
  say(member: string, ...body: unknown[]): void
  change(unit: string, ...body: unknown[]): void
}

function watchTold({ failing = 0 }: { readonly failing?: number } = {}): ToldManager {
  const listeners = new Set<(signal: BusSignal) => void>()
  const hints: string[] = []
  const followers: ((isConnected: boolean) => void)[] = []
  let subscribed = 0
  const host: ReadHost = {
    ...createReadHost(),
    readDirectory: () => [],
    watch: () => ({ [Symbol.dispose]() {} }),
    openBus: (): Bus => ({
      async query({ member }) {
        if (member === 'Subscribe') subscribed += 1
        if (subscribed <= failing) throw new Error('not now')
        return ['252']
      },
      async listen(_rule, listener) {
        listeners.add(listener)
      },
      onConnection: follower => void followers.push(follower),
      [Symbol.dispose]() {},
    }),
  }
  const say = (path: string, member: string, body: readonly unknown[]): void => {
    for (const listener of listeners) listener({ path, interface: '', member, body })
  }
  const instance = { name: 'systemd', type: 'systemd', options: {}, stateDirectory: '/tmp', owner: 'test' }
  const connect = (isConnected: boolean): void => followers.forEach(follower => void follower(isConnected))
  const tools = { host, clock: createClock() }
  const watch = watchManager(layoutOf(instance, host), tools, (service = '*') => hints.push(service))
  connect(true)
  return {
    hints,
    connect,
    get subscribed() {
      return subscribed
    },
    say: (member, ...body) => say('/org/freedesktop/systemd1', member, body),
    change: (unit, ...body) => say(`/org/freedesktop/systemd1/unit/${unit}_2eservice`, 'PropertiesChanged', body),
    [Symbol.dispose]: () => watch[Symbol.dispose](),
  }
}

const looked = (manager: ToldManager) => eventually('the first hint', () => manager.hints.includes('*'))

test('signals between the two Reloading signals are no hint, and the second one is', async () => {
  using manager = watchTold()
  await looked(manager)
  manager.hints.length = 0
  manager.say('Reloading', true)
  manager.change('web')
  manager.say('JobRemoved', 1, '/job/1', 'web.service', 'done')
  manager.say('UnitFilesChanged')
  expect(manager.hints).toEqual([])
  manager.say('Reloading', false)
  expect(manager.hints).toEqual(['*'])
  manager.change('web')
  expect(manager.hints).toEqual(['*', ...ofWeb])
})

test('a unit reported inactive during its start, with a MainPID, is only observed again', async () => {
  using manager = watchTold()
  await looked(manager)
  manager.hints.length = 0
  manager.change('web', 'org.freedesktop.systemd1.Unit', { ActiveState: 'inactive', SubState: 'dead' }, [])
  manager.change('web', 'org.freedesktop.systemd1.Service', { MainPID: 42 }, [])
  expect(manager.hints).toEqual([...ofWeb, ...ofWeb])
})

test('if the second Reloading signal never comes, the watch resumes when systemd is back', async () => {
  using manager = watchTold()
  await looked(manager)
  manager.say('Reloading', true)
  manager.say('NameOwnerChanged', 'org.freedesktop.systemd1', ':1.1', '')
  manager.say('NameOwnerChanged', 'org.freedesktop.systemd1', '', ':1.2')
  manager.hints.length = 0
  manager.change('web')
  expect(manager.hints).toContain('web')
})

test('the subscription to signals is repeated until systemd accepts it', async () => {
  using manager = watchTold({ failing: 1 })
  await looked(manager)
  expect(manager.subscribed).toBe(2)
})

test('the end of the connection is a hint, and so is the next one, which subscribes again', async () => {
  using manager = watchTold()
  await looked(manager)
  manager.hints.length = 0
  manager.connect(false)
  expect(manager.hints).toEqual(['*'])
  manager.connect(true)
  await eventually('another hint', () => manager.hints.length === 2)
  expect([manager.hints, manager.subscribed]).toEqual([['*', '*'], 2])
})
