import { expect, test } from 'vitest'
import type { BusCall, BusSignal } from '../../../src/core/contracts/bus.ts'
import { ReeveError } from '../../../src/core/reeve-error.ts'
import type { BusConnection } from '../../../src/host/bus.ts'
import { createPerform } from '../../../src/host/effects.ts'
import { createSharedBuses } from '../../../src/host/shared-bus.ts'
import { createManualClock } from '../../tools/manual-clock.ts'

const target = { name: 'systemd', addresses: [{ socket: '/bus', isPeer: false }] }
const call: BusCall = { destination: 'there', path: '/', interface: 'it', member: 'Reload' }
const gone = new ReeveError('unavailable', 'the connection has ended')

function refusal(name: string): ReeveError {
  const cause = new Error('why')
  cause.name = name
  return new ReeveError('failed', 'Reload was refused', { cause })
}

/** Connections that refuse so many calls before they answer, and end when a test says so, unlike a real systemd. */
function openBench(refusals: readonly ReeveError[] = []) {
  const clock = createManualClock()
  const opened: (BusConnection & { readonly rules: Set<string>; say(signal: BusSignal): void; isKept: boolean })[] = []
  const bench = { asked: 0, isThere: true }
  const answer = async (): Promise<readonly unknown[]> => {
    bench.asked += 1
    const refused = refusals[bench.asked - 1]
    if (refused) throw refused
    return ['well']
  }
  const buses = createSharedBuses(clock, async () => {
    if (!bench.isThere) throw new ReeveError('unavailable', 'no D-Bus socket at /bus')
    let isOver = false
    let end = (): void => {}
    const ended = new Promise<void>(resolve => {
      end = resolve
    })
    const ask = async (): Promise<readonly unknown[]> => {
      if (!isOver) return answer()
      await ended
      throw gone
    }
    const listeners: ((signal: BusSignal) => void)[] = []
    const connection = {
      query: ask,
      call: ask,
      rules: new Set<string>(),
      isKept: false,
      onSignal: (listener: (signal: BusSignal) => void) => void listeners.push(listener),
      async match(rule: string) {
        connection.rules.add(rule)
      },
      unmatch: (rule: string) => void connection.rules.delete(rule),
      keepAlive(isKept: boolean) {
        connection.isKept = isKept
      },
      isSilent: () => false,
      say: (signal: BusSignal) => listeners.forEach(listener => void listener(signal)),
      ended,
      [Symbol.dispose]() {
        isOver = true
        end()
      },
    }
    opened.push(connection)
    return connection
  })
  return {
    clock,
    opened,
    bench,
    openReader: () => buses.openReader(target, () => {}),
    openWriter: () => buses.openWriter(target, () => {}, createPerform(undefined)),
  }
}

test.each(['NoReply', 'ServiceUnknown', 'NameHasNoOwner', 'Spawn.ChildExited'])(
  'a call is repeated once systemd is back on the bus after re-executing itself: %s',
  async name => {
    const away = refusal(`org.freedesktop.DBus.Error.${name}`)
    const { clock, bench, openWriter } = openBench([away, away])
    using bus = openWriter()
    const called = bus.call(call)
    await clock.untilPending(1)
    await clock.advance(1_000)
    expect(await called).toEqual(['well'])
    expect(bench.asked).toBe(3)
  },
)

test('a call that systemd itself refuses is not repeated', async () => {
  const { bench, openWriter } = openBench([refusal('org.freedesktop.systemd1.NoSuchUnit')])
  using bus = openWriter()
  await expect(bus.call(call)).rejects.toThrow('Reload was refused')
  expect(bench.asked).toBe(1)
})

test('a query is repeated over a new connection without a delay', async () => {
  const { bench, opened, clock, openReader } = openBench()
  using bus = openReader()
  await bus.query(call)
  opened[0]?.[Symbol.dispose]()
  expect(await bus.query(call)).toEqual(['well'])
  expect(opened).toHaveLength(2)
  bench.isThere = false
  opened[1]?.[Symbol.dispose]()
  await expect(bus.query(call)).rejects.toThrow('cannot reach systemd: no D-Bus socket at /bus')
  expect(clock.pending).toBe(0)
})

test('handles share a connection, which ends with the last of them', async () => {
  const { opened, openReader, openWriter } = openBench()
  const [reader, writer] = [openReader(), openWriter()]
  await Promise.all([reader.query(call), writer.call(call)])
  expect([opened.length, opened[0]?.isKept]).toEqual([1, true])
  writer[Symbol.dispose]()
  writer[Symbol.dispose]()
  expect(opened[0]?.isKept).toBe(false)
  await writer.ended
  await expect(writer.call(call)).rejects.toThrow('the connection to systemd has been closed')
  reader[Symbol.dispose]()
  await opened[0]?.ended
  using next = openReader()
  await next.query(call)
  expect(opened).toHaveLength(2)
})

test('a match rule is added to each connection, and removed with the last handle that uses it', async () => {
  const { opened, clock, openReader } = openBench()
  using one = openReader()
  const other = openReader()
  const heard: string[] = []
  const changes: boolean[] = []
  one.onConnection(isConnected => changes.push(isConnected))
  await one.listen('rule', ({ member }) => heard.push(`one ${member}`))
  await other.listen('rule', ({ member }) => heard.push(`other ${member}`))
  await other.listen('more', () => {})
  opened[0]?.[Symbol.dispose]()
  await clock.untilPending(1)
  await clock.advance(1_000)
  expect([opened.length, [...(opened[1]?.rules ?? [])], changes]).toEqual([2, ['rule', 'more'], [true, false, true]])
  opened[1]?.say({ path: '/', interface: 'it', member: 'Reloading', body: [] })
  expect(heard).toEqual(['one Reloading', 'other Reloading'])
  other[Symbol.dispose]()
  expect([...(opened[1]?.rules ?? [])]).toEqual(['rule'])
})

test('a listener without a bus is connected as soon as there is one', async () => {
  const { bench, opened, clock, openReader } = openBench()
  bench.isThere = false
  using bus = openReader()
  await expect(bus.listen('rule', () => {})).rejects.toThrow('cannot reach systemd')
  await clock.advance(60_000)
  bench.isThere = true
  await clock.advance(5_000)
  expect(opened.map(({ rules }) => [...rules])).toEqual([['rule']])
})

test('an action fails when systemd has been away for 10 s, and not before', async () => {
  const { bench, opened, clock, openWriter } = openBench()
  using bus = openWriter()
  await bus.listen('rule', () => {})
  let isOver = false
  void bus.ended.then(() => {
    isOver = true
  })
  const called = bus.call(call)
  await called
  bench.isThere = false
  opened[0]?.[Symbol.dispose]()
  await clock.advance(9_900)
  expect(isOver).toBe(false)
  const refused = expect(bus.call(call)).rejects.toBeInstanceOf(ReeveError)
  await clock.advance(200)
  await refused
  expect(isOver).toBe(true)
})

test('a call on a connection that ends is repeated over the next one', async () => {
  const { bench, opened, openWriter } = openBench()
  using bus = openWriter()
  await bus.listen('rule', () => {})
  opened[0]?.[Symbol.dispose]()
  expect(await bus.call(call)).toEqual(['well'])
  expect([bench.asked, opened.length]).toEqual([1, 2])
})
