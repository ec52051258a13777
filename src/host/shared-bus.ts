import type { Bus, BusAddress, BusCall, BusSignal, BusTarget, WriteBus } from '../core/contracts/bus.ts'
import { messageOf, ReeveError } from '../core/reeve-error.ts'
import type { BusConnection } from './bus.ts'
import { busErrorName } from './bus-error.ts'
import type { Clock } from './clock.ts'
import type { Perform } from './effects.ts'

/** How long (ms) a target that was there may be away for those who act: it executes itself anew, or its bus is restarted. */
const PATIENCE = 10_000

/** How long (ms) after a try in vain the next one is made; for those who only listen, twice as long each time, up to the longest. */
const PAUSE = 50
const LONGEST_PAUSE = 5_000

/** What a bus answers for a target that has left it, and may be about to come back. */
const absences: ReadonlySet<string> = new Set([
  'org.freedesktop.DBus.Error.NoReply',
  'org.freedesktop.DBus.Error.NameHasNoOwner',
  'org.freedesktop.DBus.Error.ServiceUnknown',
  'org.freedesktop.DBus.Error.Spawn.ChildExited',
])

/** Shared bus connections of all handles. */
export interface SharedBuses {
  /** For who only looks: there is no way from it to a call that isn't checked. */
  openReader(target: BusTarget, check: (call: BusCall) => void): Bus
  openWriter(target: BusTarget, check: (call: BusCall) => void, perform: Perform): WriteBus
}

type Open = (address: BusAddress, clock: Clock) => Promise<BusConnection>

export function createSharedBuses(clock: Clock, open: Open = openConnection): SharedBuses {
  const clients = new Map<string, Client>()

  function use(target: BusTarget, isWriter: boolean): Use {
    const key = JSON.stringify(target)
    const client = clients.get(key) ?? createClient(target, clock, open, () => clients.delete(key))
    clients.set(key, client)
    return client.use(isWriter)
  }

  return {
    openReader(target, check) {
      checkTarget(target, check)
      return createReader(use(target, false), check)
    },
    openWriter(target, check, perform) {
      const writer = use(target, true)
      return {
        ...createReader(writer, check),
        call: call => writer.ask(bus => perform('bus-call', `${call.path} ${call.member}`, () => bus.call(call))),
        ended: writer.ended,
      }
    },
  }
}

/** What is asked of each new connection is held to the same rules. */
function checkTarget({ addresses }: BusTarget, check: (call: BusCall) => void): void {
  for (const address of addresses) if (address.check) check(address.check)
}

function createReader({ ask, listen, onConnection, dispose }: Use, check: (call: BusCall) => void): Bus {
  return {
    query(call) {
      check(call)
      return ask(bus => bus.query(call))
    },
    listen,
    onConnection,
    [Symbol.dispose]: dispose,
  }
}

async function openConnection(address: BusAddress, clock: Clock): Promise<BusConnection> {
  const { openBusConnection } = await import('./bus.ts') // not needed by most
  return openBusConnection(address, clock)
}

/** What one handle does with the connection of all. */
interface Use extends Pick<Bus, 'listen' | 'onConnection'> {
  ask<T>(act: (bus: BusConnection) => Promise<T>): Promise<T>
  readonly ended: Promise<void>
  dispose(): void
}

interface Client {
  use(isWriter: boolean): Use
}

/** Shared connection of all handles on a target. Ends with the last of them. */
function createClient({ name, addresses }: BusTarget, clock: Clock, open: Open, over: () => void): Client {
  const users = new Set<User>()
  let current: Promise<BusConnection> | undefined
  let bus: BusConnection | undefined
  /** When the last connection ended; undefined: there was none. */
  let lostAt = Number.NEGATIVE_INFINITY
  let renewal: Disposable | undefined

  const hasWriter = (): boolean => [...users].some(({ isWriter }) => isWriter)
  const isPatient = (): boolean => clock.elapsed() < lostAt + PATIENCE

  function tell(signal: BusSignal): void {
    for (const { listeners } of users) for (const [, listener] of listeners) listener(signal)
  }

  function tellConnection(isConnected: boolean): void {
    for (const { followers } of users) for (const follower of followers) follower(isConnected)
  }

  function isWanted(rule: string): boolean {
    return [...users].some(({ listeners }) => listeners.some(([wanted]) => wanted === rule))
  }

  function connected(): Promise<BusConnection> {
    current ??= connect().catch(error => {
      current = undefined
      throw error
    })
    return current
  }

  async function connect(): Promise<BusConnection> {
    const opened = await openFirst()
    try {
      if (users.size === 0) throw new ReeveError('unavailable', `the connection to ${name} is not wanted any longer`)
      const rules = new Set([...users].flatMap(({ listeners }) => listeners.map(([rule]) => rule)))
      for (const rule of rules) await opened.match(rule)
    } catch (error) {
      opened[Symbol.dispose]()
      throw error
    }
    bus = opened
    opened.onSignal(tell)
    opened.keepAlive(hasWriter())
    void opened.ended.then(() => lose(opened))
    tellConnection(true)
    return opened
  }

  /** The best address where the target answers. */
  async function openFirst(): Promise<BusConnection> {
    const problems: string[] = []
    for (const address of addresses) {
      let opened: BusConnection | undefined
      try {
        opened = await open(address, clock)
        if (address.check) await opened.query(address.check)
        return opened
      } catch (error) {
        opened?.[Symbol.dispose]()
        problems.push(messageOf(error))
      }
    }
    throw new ReeveError('unavailable', `cannot reach ${name}: ${problems.join('; ')}`)
  }

  function lose(lost: BusConnection): void {
    if (bus !== lost) return
    bus = current = undefined
    lostAt = clock.elapsed()
    lost[Symbol.dispose]()
    tellConnection(false)
    renew()
  }

  /** As long as somebody listens, another one is made whether it is asked for or not. */
  function renew(pause = PAUSE): void {
    renewal?.[Symbol.dispose]()
    if (![...users].some(({ listeners }) => listeners.length > 0)) return
    const attempt = (): void => {
      connected().catch(() => {
        if (!isPatient()) for (const user of users) user.end()
        renew(hasWriter() ? PAUSE : Math.min(pause * 2, LONGEST_PAUSE))
      })
    }
    renewal = clock.after(pause, attempt, { keepsAlive: hasWriter() })
  }

  async function ask<T>(user: User, act: (bus: BusConnection) => Promise<T>): Promise<T> {
    for (let isFirst = true; ; isFirst = false) {
      if (!users.has(user)) throw new ReeveError('unavailable', `the connection to ${name} has been closed`)
      let asked: BusConnection | undefined
      try {
        asked = await connected()
        return await act(asked)
      } catch (error) {
        const isSilent = asked?.isSilent() ?? false
        if (asked && (isSilent || absences.has(busErrorName(error) ?? ''))) lose(asked)
        const mayCome = asked === undefined || asked !== bus
        if (!mayCome || isSilent) throw error
        // The end of an older connection says nothing about the next one.
        const isStale = isFirst && asked !== undefined
        if (!isStale && !(user.isWriter && isPatient())) throw error
        if (!isStale) await clock.sleep(PAUSE)
      }
    }
  }

  return {
    use(isWriter) {
      const user = createUser(isWriter)
      users.add(user)
      bus?.keepAlive(hasWriter())
      return {
        ask: act => ask(user, act),
        async listen(rule, listener) {
          user.listeners.push([rule, listener])
          try {
            await ask(user, opened => opened.match(rule))
          } catch (error) {
            if (bus === undefined) renew()
            throw error
          }
        },
        onConnection: listener => void user.followers.push(listener),
        ended: user.ended,
        dispose() {
          if (!users.delete(user)) return
          user.end()
          for (const [rule] of user.listeners) if (!isWanted(rule)) bus?.unmatch(rule)
          bus?.keepAlive(hasWriter())
          if (users.size > 0) return
          renewal?.[Symbol.dispose]()
          const last = bus
          bus = current = undefined
          last?.[Symbol.dispose]()
          over()
        },
      }
    },
  }
}

interface User {
  readonly isWriter: boolean
  readonly listeners: [rule: string, listener: (signal: BusSignal) => void][]
  readonly followers: ((isConnected: boolean) => void)[]
  readonly ended: Promise<void>
  end(): void
}

function createUser(isWriter: boolean): User {
  let end = (): void => {}
  const ended = new Promise<void>(resolve => {
    end = resolve
  })
  return { isWriter, listeners: [], followers: [], ended, end: () => end() }
}
