/** Peer of a D-Bus connection, with the addresses where it can be reached. */
export interface BusTarget {
  /** Name for messages. */
  readonly name: string
  /** Addresses in order of preference. */
  readonly addresses: readonly BusAddress[]
}

export interface BusAddress {
  /** Path of a unix socket. */
  readonly socket: string
  /** Whether the service itself listens there, rather than a bus daemon. */
  readonly isPeer: boolean
  /** Call that proves a new connection: a bus may exist without the target. Absent: any connection counts. */
  readonly check?: BusCall
}

export interface BusCall {
  readonly destination: string
  readonly path: string
  readonly interface: string
  readonly member: string
  /** D-Bus types of `body`. Absent: no body. */
  readonly signature?: string
  readonly body?: readonly unknown[]
}

export interface BusSignal {
  readonly path: string
  readonly interface: string
  readonly member: string
  readonly body: readonly unknown[]
}

/**
 * Handle on D-Bus for observers. Values are those of JavaScript; a variant is its content. All handles of a session on one target share
 * a connection, which is opened on first use, reopened after its end, and closed with the last handle. It keeps the process alive
 * only while an answer is pending.
 */
export interface Bus extends Disposable {
  /**
   * Query: one of the provider's declared `busQueries`. Resolves with the returned values. Rejects with ReeveError: `internal` for any
   * other call, `unavailable` if the target can't be reached or doesn't answer, `failed` if the answer is an error.
   */
  query(call: BusCall): Promise<readonly unknown[]>
  /**
   * Subscription: calls `listener` for signals that match the rule, and maybe for others, on this and later connections. Resolves once
   * the present connection has subscribed. Rejects with ReeveError `unavailable` if there is none yet, and subscribes once there is.
   */
  listen(rule: string, listener: (signal: BusSignal) => void): Promise<void>
  /** Calls `listener` when the connection ends, and when there is a new one. Signals in between are lost. */
  onConnection(listener: (isConnected: boolean) => void): void
}

/**
 * Handle on D-Bus for appliers; it keeps the process alive. Calls made while the target restarts or re-executes itself are retried for
 * 10 s.
 */
export interface WriteBus extends Bus {
  /** Call of any method. Resolves with the returned values. */
  call(call: BusCall): Promise<readonly unknown[]>
  /** End of the handle: resolves when it is disposed of, or if the target hasn't returned within 10 s. Later signals are lost. */
  readonly ended: Promise<void>
}
