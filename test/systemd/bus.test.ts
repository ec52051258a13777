import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { BusSignal } from '../../src/core/contracts/bus.ts'
import { busErrorName } from '../../src/host/bus-error.ts'
import type { Effect } from '../../src/host/effects.ts'
import { createReadHost } from '../../src/host/read-host.ts'
import { createWriteHost } from '../../src/host/write-host.ts'

const manager = {
  destination: 'org.freedesktop.systemd1',
  path: '/org/freedesktop/systemd1',
  interface: 'org.freedesktop.systemd1.Manager',
}
const listByNames = { ...manager, member: 'ListUnitsByNames', signature: 'as', body: [['dbus.service']] }
const busQueries = ['ListUnitsByNames', 'GetUnit', 'Subscribe'].map(member => `${manager.interface}.${member}`)

const addresses = [
  { name: 'a bus', socket: '/run/dbus/system_bus_socket', isPeer: false },
  { name: 'a peer', socket: '/run/systemd/private', isPeer: true },
]

describe.skipIf(process.env.REEVE_MACHINE === undefined)('D-Bus', () => {
  test('runs under a systemd of its own', () => {
    expect(readFileSync('/proc/1/comm', 'utf8')).toBe('systemd\n')
  })

  for (const { name, ...address } of addresses) {
    test(`${name} answers queries, more at once than it queues`, async () => {
      using bus = await createReadHost({ busQueries }).openBus(address)
      const answers = await Promise.all(Array.from({ length: 1_000 }, () => bus.query(listByNames)))
      expect(answers).toHaveLength(1_000)
      expect(answers.at(-1)).toEqual([[expect.arrayContaining(['dbus.service', 'loaded', 'active'])]])
    })

    test(`E2: ${name} gets only declared calls from observing code`, async () => {
      using bus = await createReadHost({ busQueries }).openBus(address)
      expect(() => bus.query({ ...manager, member: 'Reload' })).toThrow(/that the provider declares/)
      expect(bus).not.toHaveProperty('call')
    })

    test(`E4: a call to ${name} is an effect, and a query is not`, async () => {
      const effects: [Effect, string][] = []
      const onEffect = (effect: Effect, phase: string): number => effects.push([effect, phase])
      using bus = await createWriteHost({ busQueries, onEffect }).openBus(address)
      await bus.query(listByNames)
      await bus.call({ ...manager, member: 'ResetFailed' })
      const effect = { kind: 'bus-call', target: '/org/freedesktop/systemd1 ResetFailed' }
      expect(effects).toEqual([
        [effect, 'before'],
        [effect, 'after'],
      ])
    })

    test(`a call to ${name} on a broken connection fails with that reason`, async () => {
      const heard: string[] = []
      const bus = await createReadHost({ busQueries }).openBus(address)
      void bus.ended.then(() => heard.push('ended'))
      bus[Symbol.dispose]()
      await bus.query(listByNames).catch(error => heard.push(error.message))
      expect(heard).toEqual(['ended', `nobody answers at ${address.socket}: the connection has ended`])
    })

    test(`an error of ${name} keeps its name`, async () => {
      using bus = await createReadHost({ busQueries }).openBus(address)
      const error: unknown = await bus
        .query({ ...manager, member: 'GetUnit', signature: 's', body: ['none.service'] })
        .catch(error => error)
      expect(busErrorName(error)).toBe('org.freedesktop.systemd1.NoSuchUnit')
    })

    test(`signals of ${name} are received`, async () => {
      using bus = await createReadHost({ busQueries }).openBus(address)
      const signals: BusSignal[] = []
      await bus.listen(`type='signal',interface='${manager.interface}'`, signal => signals.push(signal))
      await bus.query({ ...manager, member: 'Subscribe' })
      spawnSync('systemctl', ['daemon-reload'])
      await expect
        .poll(() => signals.filter(({ member }) => member === 'Reloading').map(({ body }) => body))
        .toEqual([[true], [false]])
    })
  }

  test('a peer that has read the first call together with the handshake answers too', async () => {
    const host = createReadHost({ busQueries })
    for (let count = 0; count < 200; count += 1) {
      using idle = await host.openBus({ socket: '/run/systemd/private', isPeer: true })
      using bus = await host.openBus({ socket: '/run/systemd/private', isPeer: true })
      expect(await bus.query(listByNames)).toHaveLength(1)
      idle[Symbol.dispose]()
    }
  })

  test('a connection that ends fails its pending calls with that reason', async () => {
    using bus = await createReadHost({ busQueries }).openBus({ socket: '/run/systemd/private', isPeer: true })
    // A new systemd takes the place of the old one, and closes its connections.
    spawnSync('systemctl', ['daemon-reexec'])
    await bus.ended
    await expect(bus.query(listByNames)).rejects.toThrow(/private/)
  })

  test('without a listener the bus is unavailable', async () => {
    const opening = createReadHost().openBus({ socket: '/run/nobody', isPeer: true })
    await expect(opening).rejects.toMatchObject({ code: 'unavailable' })
  })
})
