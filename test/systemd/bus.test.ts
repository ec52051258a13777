import { spawnSync } from 'node:child_process'
import { readFileSync, rmSync, symlinkSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { eventually } from '../../src/conformance/eventually.ts'
import type { BusSignal } from '../../src/core/contracts/bus.ts'
import { type BusConnection, openBusConnection } from '../../src/host/bus.ts'
import { busErrorName } from '../../src/host/bus-error.ts'
import { createClock } from '../../src/host/clock.ts'
import type { Effect } from '../../src/host/effects.ts'
import { createReadHost } from '../../src/host/read-host.ts'
import { createSharedBuses, type SharedBuses } from '../../src/host/shared-bus.ts'
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
    const target = { name, addresses: [address] }
    test(`${name} answers queries, more at once than it queues`, async () => {
      using bus = createReadHost({ busQueries }).openBus(target)
      const answers = await Promise.all(Array.from({ length: 1_000 }, () => bus.query(listByNames)))
      expect(answers).toHaveLength(1_000)
      expect(answers.at(-1)).toEqual([[expect.arrayContaining(['dbus.service', 'loaded', 'active'])]])
    })

    test(`E2: ${name} gets only declared calls from observing code`, async () => {
      using bus = createReadHost({ busQueries }).openBus(target)
      expect(() => bus.query({ ...manager, member: 'Reload' })).toThrow(/declares in capabilities.busQueries/)
      expect(bus).not.toHaveProperty('call')
    })

    test(`E4: a call to ${name} is an effect, and a query is not`, async () => {
      const effects: [Effect, string][] = []
      const onEffect = (effect: Effect, phase: string): number => effects.push([effect, phase])
      using bus = createWriteHost({ busQueries, onEffect }).openBus(target)
      await bus.query(listByNames)
      await bus.call({ ...manager, member: 'ResetFailed' })
      const effect = { kind: 'bus-call', target: '/org/freedesktop/systemd1 ResetFailed' }
      expect(effects).toEqual([
        [effect, 'before'],
        [effect, 'after'],
      ])
    })

    test(`E2: ${name} gets no undeclared call as the check of a connection`, () => {
      const check = { ...manager, member: 'Reload' }
      const open = () => createReadHost({ busQueries }).openBus({ name, addresses: [{ ...address, check }] })
      expect(open).toThrow(/declares in capabilities.busQueries/)
    })

    test(`handles of one session share a connection to ${name}`, async () => {
      const { buses, connections } = countConnections()
      using reader = createReadHost({ busQueries, buses }).openBus(target)
      using writer = createWriteHost({ busQueries, buses }).openBus(target)
      await Promise.all([reader.query(listByNames), writer.query(listByNames)])
      expect(connections).toHaveLength(1)
      writer[Symbol.dispose]()
      expect(await reader.query(listByNames)).toHaveLength(1)
      await expect(writer.query(listByNames)).rejects.toThrow(`the connection to ${name} has been closed`)
      reader[Symbol.dispose]()
      await connections[0]?.ended
    })

    test(`a handle on ${name} listens and asks on, whatever becomes of the connection`, async () => {
      const { buses, connections } = countConnections()
      using bus = createReadHost({ busQueries, buses }).openBus(target)
      const signals: string[] = []
      const told: boolean[] = []
      await bus.listen(`type='signal',interface='${manager.interface}'`, ({ member }) => signals.push(member))
      bus.onConnection(isConnected => told.push(isConnected))
      connections[0]?.[Symbol.dispose]()
      expect(await bus.query(listByNames)).toHaveLength(1)
      connections[1]?.[Symbol.dispose]()
      await eventually('it to tell of four changes', () => told.length === 4)
      expect(told).toEqual([false, true, false, true])
      await bus.query({ ...manager, member: 'Subscribe' })
      spawnSync('systemctl', ['daemon-reload'])
      await eventually('the signal of a reload', () => signals.includes('Reloading'))
    })

    test(`an error of ${name} keeps its name`, async () => {
      using bus = createReadHost({ busQueries }).openBus(target)
      const error: unknown = await bus
        .query({ ...manager, member: 'GetUnit', signature: 's', body: ['none.service'] })
        .catch(error => error)
      expect(busErrorName(error)).toBe('org.freedesktop.systemd1.NoSuchUnit')
    })

    test(`signals of ${name} are received`, async () => {
      using bus = createReadHost({ busQueries }).openBus(target)
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
    for (let count = 0; count < 200; count += 1) {
      using _idle = await openBusConnection({ socket: '/run/systemd/private', isPeer: true }, createClock())
      using bus = await openBusConnection({ socket: '/run/systemd/private', isPeer: true }, createClock())
      expect(await bus.query(listByNames)).toHaveLength(1)
    }
  })

  test('a connection that ends fails its pending calls with that reason', async () => {
    using bus = await openBusConnection({ socket: '/run/systemd/private', isPeer: true }, createClock())
    // A new systemd takes the place of the old one, and closes its connections.
    spawnSync('systemctl', ['daemon-reexec'])
    await bus.ended
    await expect(bus.query(listByNames)).rejects.toThrow(/private/)
  })

  test('without a listener the bus is unavailable, and is connected when there is one', async () => {
    using bus = createReadHost({ busQueries }).openBus(atLink)
    const told: boolean[] = []
    bus.onConnection(isConnected => told.push(isConnected))
    await expect(bus.query(listByNames)).rejects.toMatchObject({ code: 'unavailable' })
    await expect(bus.listen("type='signal'", () => {})).rejects.toMatchObject({ code: 'unavailable' })
    symlinkSync('/run/dbus/system_bus_socket', link)
    try {
      await eventually('it to tell that it is connected', () => told.length > 0)
      expect(told).toEqual([true])
      expect(await bus.query(listByNames)).toHaveLength(1)
    } finally {
      rmSync(link)
    }
  })

  test('who acts is told at once that there was no listener from the beginning', async () => {
    using bus = createWriteHost({ busQueries }).openBus(atLink)
    const began = Date.now()
    await expect(bus.call({ ...manager, member: 'ResetFailed' })).rejects.toMatchObject({ code: 'unavailable' })
    expect(Date.now() - began).toBeLessThan(5_000)
  })

  test('a bus that is frozen is given up for the private socket', { timeout: 30_000 }, async () => {
    const shown = spawnSync('systemctl', ['show', '--value', '--property=MainPID', 'dbus.service'], {
      encoding: 'utf8',
    })
    const daemon = Number(shown.stdout)
    using bus = createReadHost({ busQueries }).openBus({ name: 'systemd', addresses })
    await bus.query(listByNames)
    process.kill(daemon, 'SIGSTOP')
    try {
      await expect(bus.query(listByNames)).rejects.toThrow('did not answer ListUnitsByNames within 8000 ms')
      expect(await bus.query(listByNames)).toHaveLength(1)
    } finally {
      process.kill(daemon, 'SIGCONT')
    }
  })
})

const link = '/run/bus-of-a-test'
const atLink = { name: 'the bus', addresses: [{ socket: link, isPeer: false }] }

function countConnections(): { readonly buses: SharedBuses; readonly connections: BusConnection[] } {
  const connections: BusConnection[] = []
  const buses = createSharedBuses(createClock(), async (address, clock) => {
    const connection = await openBusConnection(address, clock)
    connections.push(connection)
    return connection
  })
  return { buses, connections }
}
