import { expect, test } from 'vitest'
import { openReconnectingBus } from '../../../../../providers/systemd/bus/reconnecting-bus.ts'
import type { BusCall, WriteBus } from '../../../../../src/core/contracts/bus.ts'
import { ReeveError } from '../../../../../src/core/reeve-error.ts'
import { createClock } from '../../../../../src/host/clock.ts'

const call: BusCall = { destination: 'there', path: '/', interface: 'it', member: 'Reload' }

function refusal(name: string): ReeveError {
  const cause = new Error('why')
  cause.name = name
  return new ReeveError('failed', 'Reload was refused', { cause })
}

/** Bus that refuses so many calls before it answers, which a real systemd can't be told to do. */
function createBus(refusals: readonly ReeveError[]): { readonly bus: WriteBus; readonly asked: () => number } {
  let count = 0
  const answer = async (): Promise<readonly unknown[]> => {
    count += 1
    const refused = refusals[count - 1]
    if (refused) throw refused
    return ['well']
  }
  const bus: WriteBus = {
    query: answer,
    call: answer,
    async listen() {},
    unref() {},
    ended: new Promise(() => {}),
    [Symbol.dispose]() {},
  }
  return { bus, asked: () => count }
}

test.each(['NoReply', 'ServiceUnknown', 'NameHasNoOwner', 'Spawn.ChildExited'])(
  'a call is repeated once systemd is back on the bus after re-executing itself: %s',
  async name => {
    const gone = refusal(`org.freedesktop.DBus.Error.${name}`)
    const { bus, asked } = createBus([gone, gone])
    using lasting = await openReconnectingBus(async () => bus, createClock())
    expect(await lasting.call(call)).toEqual(['well'])
    expect(asked()).toBe(3)
  },
)

test('a call that systemd itself refuses is not repeated', async () => {
  const { bus, asked } = createBus([refusal('org.freedesktop.systemd1.NoSuchUnit')])
  using lasting = await openReconnectingBus(async () => bus, createClock())
  await expect(lasting.call(call)).rejects.toThrow('Reload was refused')
  expect(asked()).toBe(1)
})
