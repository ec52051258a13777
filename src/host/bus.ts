import { once } from 'node:events'
import { createConnection, type Socket } from 'node:net'
// The whole package brings an XML parser, which takes longer to load than all the rest of it.
import handshake from '@homebridge/dbus-native/lib/handshake.js'
import protocol from '@homebridge/dbus-native/lib/message.js'
import pLimit from 'p-limit'
import type { BusAddress, BusCall, BusSignal } from '../core/contracts/bus.ts'
import { ReeveError } from '../core/reeve-error.ts'
import type { Clock } from './clock.ts'
import { createFailure, errnoOf } from './failure.ts'
import { checkSocketPath } from './socket-lines.ts'

/** Time limit in ms for authentication, and for the answer to a query. */
const admissionTimeout = 3_000
const queryTimeout = 8_000

/** Calls under way on one connection. A bus refuses more than its limit of pending replies (128 for ordinary users). */
const mostPending = 64

const busName = {
  destination: 'org.freedesktop.DBus',
  path: '/org/freedesktop/DBus',
  interface: 'org.freedesktop.DBus',
}

const ping = { destination: '', path: '/', interface: 'org.freedesktop.DBus.Peer', member: 'Ping' }
const knockInterval = 10

const noReplyExpected = 1
const messageTypes = { call: 1, return: 2, error: 3, signal: 4 } as const

interface Wire {
  send(message: Message): void
  listen(listener: (message: Message) => void): void
}

interface Message {
  readonly type: number
  readonly serial: number
  readonly flags?: number
  readonly destination?: string
  readonly path?: string
  readonly interface?: string
  readonly member?: string
  readonly signature?: string
  readonly body?: readonly unknown[]
  readonly errorName?: string
  readonly replySerial?: number
}

/** Connection to a bus, shared by several callers and listeners. It keeps the process alive while an answer is awaited. */
export interface BusConnection extends Disposable {
  /** Throws ReeveError: `unavailable` if no answer comes within 8 s, `failed` if it is an error. */
  query(call: BusCall): Promise<readonly unknown[]>
  /** As `query`, however long the answer takes. */
  call(call: BusCall): Promise<readonly unknown[]>
  onSignal(listener: (signal: BusSignal) => void): void
  /** Subscribes to signals that match the rule, once per rule. A peer sends all its signals. */
  match(rule: string): Promise<void>
  unmatch(rule: string): void
  keepAlive(isKept: boolean): void
  /** True: a query got no answer, nothing came since, and no `call` is under way. */
  isSilent(): boolean
  /** Resolves when either side has ended the connection. */
  readonly ended: Promise<void>
}

/**
 * Speaks D-Bus over a unix socket, with a bus or with a peer. Throws ReeveError `unavailable` if nobody listens there, or lets us in.
 */
export async function openBusConnection(
  { socket, isPeer }: Pick<BusAddress, 'socket' | 'isPeer'>,
  clock: Clock,
): Promise<BusConnection> {
  checkSocketPath(socket)
  const stream = createConnection(socket)
  const pending = new Map<number, (reply: Message | Error) => void>()
  const listeners = new Set<(signal: BusSignal) => void>()
  const rules = new Map<string, Promise<unknown>>()
  const limit = pLimit(mostPending)
  let [serial, calls] = [0, 0]
  let [isKept, isMute] = [false, false]
  let failure: unknown
  const ended = new Promise<void>(resolve => stream.once('close', () => resolve()))
  stream.on('error', error => {
    failure ??= error
  })
  stream.once('close', () => {
    const problem = toBusError(socket, failure)
    for (const settle of pending.values()) settle(problem)
  })

  function keepWhileNeeded(): void {
    if (isKept || pending.size > 0) stream.ref()
    else stream.unref()
  }

  const wire = await admit(stream, socket, clock)
  wire.listen(message => {
    isMute = false
    if (message.type === messageTypes.signal) {
      const { path = '', interface: from = '', member = '', body = [] } = message
      for (const listener of listeners) listener({ path, interface: from, member, body: unwrap(body) })
    } else if (message.replySerial !== undefined) pending.get(message.replySerial)?.(message)
  })

  /** What is sent in one turn goes out in one write. */
  function gather(): void {
    if (stream.writableCorked > 0) return
    stream.cork()
    process.nextTick(() => stream.uncork())
  }

  function send(call: BusCall, timeout?: number): Promise<readonly unknown[]> {
    return new Promise((resolve, reject) => {
      // Told only now, so that listeners find the connection ended and can open another.
      if (stream.destroyed) return void ended.then(() => reject(toBusError(socket, failure)))
      serial += 1
      const own = serial
      const { body = [], signature = '', ...address } = call
      const settle = (reply: Message | Error): void => {
        pending.delete(own)
        keepWhileNeeded()
        timer?.[Symbol.dispose]()
        if (reply instanceof Error) reject(reply)
        else if (reply.type === messageTypes.error) reject(createCallError(call, reply))
        else resolve(unwrap(reply.body ?? []))
      }
      const giveUp = (): void => {
        isMute = true
        settle(new ReeveError('unavailable', `${socket} did not answer ${call.member} within ${timeout} ms`))
      }
      const timer = timeout === undefined ? undefined : clock.after(timeout, giveUp, { keepsAlive: false })
      pending.set(own, settle)
      keepWhileNeeded()
      // An empty body must not be sent at all.
      const content = signature === '' ? {} : { signature, body }
      gather()
      wire.send({ type: messageTypes.call, serial: own, ...address, ...content })
    })
  }

  /**
   * sd-bus leaves what it happens to read together with the end of the handshake lying there till more comes (seen with
   * systemd 252): so more comes, till the first answer.
   */
  async function knock(): Promise<void> {
    const more = (): void => {
      serial += 1
      wire.send({ type: messageTypes.call, flags: noReplyExpected, serial, ...ping })
    }
    let timer: Disposable | undefined
    const again = (): void => {
      timer = clock.after(knockInterval, () => {
        more()
        again()
      })
    }
    again()
    try {
      await send(ping, admissionTimeout)
    } finally {
      timer?.[Symbol.dispose]()
    }
  }

  await (isPeer ? knock() : send({ ...busName, member: 'Hello' }, admissionTimeout))
  return {
    query: call => limit(() => send(call, queryTimeout)),
    async call(call) {
      calls += 1
      try {
        return await limit(() => send(call))
      } finally {
        calls -= 1
      }
    },
    onSignal: listener => void listeners.add(listener),
    async match(rule) {
      if (isPeer) return
      const added =
        rules.get(rule) ?? send({ ...busName, member: 'AddMatch', signature: 's', body: [rule] }, queryTimeout)
      rules.set(rule, added)
      await added
    },
    unmatch(rule) {
      if (!rules.delete(rule)) return
      // If it fails, needless signals go on arriving, which does no harm.
      send({ ...busName, member: 'RemoveMatch', signature: 's', body: [rule] }, queryTimeout).catch(() => {})
    },
    keepAlive(kept) {
      isKept = kept
      keepWhileNeeded()
    },
    isSilent: () => isMute && calls === 0,
    ended,
    [Symbol.dispose]: () => {
      stream.destroy()
    },
  }
}

/** Connects and authenticates. */
async function admit(stream: Socket, socket: string, clock: Clock): Promise<Wire> {
  const timer = clock.after(admissionTimeout, () =>
    stream.destroy(new Error(`authentication timed out after ${admissionTimeout} ms`)),
  )
  try {
    await once(stream, 'connect')
    const options = { authMethods: ['EXTERNAL'] }
    await new Promise<void>((resolve, reject) => {
      handshake(stream, options, error => (error ? reject(error) : resolve()))
      stream.once('error', reject)
      stream.once('close', () => reject(new Error('it closed the connection')))
    })
    return {
      send: message => void stream.write(protocol.marshall(message)),
      listen: listener => protocol.unmarshalMessages(stream, listener, options),
    }
  } catch (error) {
    stream.destroy()
    throw toBusError(socket, error)
  } finally {
    timer[Symbol.dispose]()
  }
}

function createCallError(call: BusCall, { errorName, body }: Message): ReeveError {
  const cause = new Error(typeof body?.[0] === 'string' ? body[0] : 'no reason given')
  cause.name = errorName ?? 'org.freedesktop.DBus.Error.Failed'
  return new ReeveError('failed', `${call.member} was refused: ${cause.message} (${cause.name})`, { cause })
}

function toBusError(socket: string, cause: unknown): ReeveError {
  const code = errnoOf(cause)
  if (code === 'ENOENT') return new ReeveError('unavailable', `no D-Bus socket at ${socket} (ENOENT)`, { cause })
  if (code === 'ECONNREFUSED') {
    return new ReeveError('unavailable', `nothing listens on the D-Bus socket ${socket} (ECONNREFUSED)`, { cause })
  }
  if (code !== undefined) return createFailure(`talk to ${socket}`, cause)
  const why = cause instanceof Error ? cause.message : 'the connection has ended'
  return new ReeveError('unavailable', `nobody answers at ${socket}: ${why}`, { cause })
}

/** Puts the value in the place of a variant, which the library gives as `[signature, [value]]`. */
function unwrap(values: readonly unknown[]): readonly unknown[] {
  return values.map(unwrapOne)
}

function unwrapOne(value: unknown): unknown {
  if (!Array.isArray(value)) return value
  const [signature, content] = value
  if (value.length === 2 && isSignature(signature) && Array.isArray(content)) return unwrapOne(content[0])
  return value.map(unwrapOne)
}

/** The library's tree of a signature; no value on a bus is a map of this form. */
function isSignature(value: unknown): boolean {
  if (!Array.isArray(value) || value.length !== 1) return false
  const [node]: unknown[] = value
  return typeof node === 'object' && node !== null && 'type' in node && 'child' in node
}
