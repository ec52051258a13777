import type { WriteBus } from '../../../src/core/contracts/bus.ts'
import { ReeveError } from '../../../src/core/reeve-error.ts'
import { busErrorName } from '../../../src/host/bus-error.ts'
import type { Clock } from '../../../src/host/clock.ts'

/** Time in ms that systemd may be silent when it re-executes itself or its bus is restarted, and the interval of retries. */
const PATIENCE = 10_000
const PAUSE = 50

/** Errors of a bus for a systemd that has left it and is about to return. */
const absences: ReadonlySet<string> = new Set([
  'org.freedesktop.DBus.Error.NoReply',
  'org.freedesktop.DBus.Error.NameHasNoOwner',
  'org.freedesktop.DBus.Error.ServiceUnknown',
  'org.freedesktop.DBus.Error.Spawn.ChildExited',
])

/**
 * A connection to systemd that is made anew when it ends: the bus is restarted, or systemd re-executes itself. Both continue
 * their work. `ended` when that can't be done. A query that is unanswered when the connection ends is repeated, as is one
 * that systemd leaves the bus without answering; signals sent meanwhile are lost.
 */
export interface ReconnectingBus extends WriteBus {
  /** Calls `listener` when a new connection has replaced one that had ended. It has the same subscriptions. */
  onRenewed(listener: () => void): void
}

type Rule = Parameters<WriteBus['listen']>

interface Connection {
  readonly bus: WriteBus
  readonly rules: Set<Rule>
  isOver: boolean
}

export async function openReconnectingBus(open: () => Promise<WriteBus>, clock: Clock): Promise<ReconnectingBus> {
  const rules: Rule[] = []
  const listeners: (() => void)[] = []
  let isDisposed = false
  let end = (): void => {}
  const ended = new Promise<void>(resolve => {
    end = resolve
  })

  async function connect(): Promise<Connection> {
    const bus = await open()
    const connection: Connection = { bus, rules: new Set(), isOver: false }
    try {
      if (isDisposed) throw new ReeveError('unavailable', 'the connection is not wanted any longer')
      for (const rule of rules) await listenOn(connection, rule)
    } catch (error) {
      bus[Symbol.dispose]()
      throw error
    }
    void bus.ended.then(() => {
      connection.isOver = true
      if (isDisposed) return end()
      current = renew()
      current.catch(end)
    })
    return connection
  }

  async function renew(): Promise<Connection> {
    const due = clock.elapsed() + PATIENCE
    for (;;) {
      try {
        const connection = await connect()
        for (const tell of listeners) tell()
        return connection
      } catch (error) {
        if (isDisposed || clock.elapsed() >= due) throw error
        await clock.sleep(PAUSE)
      }
    }
  }

  async function listenOn({ bus, rules }: Connection, rule: Rule): Promise<void> {
    if (rules.has(rule)) return
    rules.add(rule)
    await bus.listen(...rule)
  }

  async function ask<T>(act: (connection: Connection) => Promise<T>): Promise<T> {
    const due = clock.elapsed() + PATIENCE
    for (;;) {
      const connection = await current
      try {
        return await act(connection)
      } catch (error) {
        const mayCome = connection.isOver || absences.has(busErrorName(error) ?? '')
        if (isDisposed || !mayCome || clock.elapsed() >= due) throw error
        if (!connection.isOver) await clock.sleep(PAUSE)
      }
    }
  }

  let current = Promise.resolve(await connect())
  return {
    query: call => ask(({ bus }) => bus.query(call)),
    call: call => ask(({ bus }) => bus.call(call)),
    listen(...rule) {
      rules.push(rule)
      return ask(connection => listenOn(connection, rule))
    },
    onRenewed(listener) {
      listeners.push(listener)
    },
    unref() {
      void ask(async ({ bus }) => bus.unref())
    },
    ended,
    [Symbol.dispose]() {
      isDisposed = true
      current.then(({ bus }) => bus[Symbol.dispose](), end)
    },
  }
}
