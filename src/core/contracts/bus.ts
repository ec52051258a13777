export interface BusAddress {
  /** Path of a unix socket. */
  readonly socket: string
  /** True: a service itself listens there, and no bus daemon. */
  readonly isPeer: boolean
}

export interface BusCall {
  readonly destination: string
  readonly path: string
  readonly interface: string
  readonly member: string
  /** D-Bus types of `body`; absent: there is none. */
  readonly signature?: string
  readonly body?: readonly unknown[]
}

export interface BusSignal {
  readonly path: string
  readonly interface: string
  readonly member: string
  readonly body: readonly unknown[]
}

/** A D-Bus connection, for those who only look. Values come as JavaScript has them, variants as what is in them. */
export interface Bus extends Disposable {
  /**
   * Makes one of the provider's declared `busQueries`, and gives what it returns. Throws ReeveError: `internal` for any
   * other, `unavailable` if no answer comes, `failed` if it is an error. On a connection that is over, not before `ended`.
   */
  query(call: BusCall): Promise<readonly unknown[]>
  /** Calls `listener` for signals that match the rule (and maybe for others); from a peer, for all. */
  listen(rule: string, listener: (signal: BusSignal) => void): Promise<void>
  /** From now on it doesn't keep the process alive. */
  unref(): void
  /** Resolves when the connection is over, from whichever side. */
  readonly ended: Promise<void>
}

/** A D-Bus connection, for those who act. */
export interface WriteBus extends Bus {
  /** Makes any call, and waits for its answer. */
  call(call: BusCall): Promise<readonly unknown[]>
}
