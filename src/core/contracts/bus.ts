/** Who is asked over D-Bus, wherever they can be reached. */
export interface BusTarget {
  /** For messages. */
  readonly name: string
  /** Best first. */
  readonly addresses: readonly BusAddress[]
}

export interface BusAddress {
  /** Path of a unix socket. */
  readonly socket: string
  /** True: a service itself listens there, and no bus daemon. */
  readonly isPeer: boolean
  /** Asked of each new connection, which counts only if it is answered: a bus may be there without the target. Absent: each counts. */
  readonly check?: BusCall
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

/**
 * A handle on D-Bus, for those who only look. Values come as JavaScript has them, variants as what is in them. All handles of a session
 * on one target share a connection, which is made when it is first needed, made anew when it has ended, and closed with the last
 * handle. It keeps the process alive only while an answer is awaited.
 */
export interface Bus extends Disposable {
  /**
   * Makes one of the provider's declared `busQueries`, and gives what it returns. Throws ReeveError: `internal` for any
   * other, `unavailable` if the target can't be reached or no answer comes, `failed` if the answer is an error.
   */
  query(call: BusCall): Promise<readonly unknown[]>
  /**
   * From now on calls `listener` for signals that match the rule, and maybe for others, on whichever connection. Resolves when the
   * present one has taken note; throws ReeveError `unavailable` if there is none yet, and listens as soon as there is.
   */
  listen(rule: string, listener: (signal: BusSignal) => void): Promise<void>
  /** From now on calls `listener` when the connection has ended, and when there is a new one: what was said meanwhile wasn't heard. */
  onConnection(listener: (isConnected: boolean) => void): void
}

/**
 * A handle on D-Bus, for those who act: it keeps the process alive. What is asked while the target is on its way back, as when it executes
 * itself anew, is asked again for 10 s.
 */
export interface WriteBus extends Bus {
  /** Makes any call, and waits for its answer. */
  call(call: BusCall): Promise<readonly unknown[]>
  /** Resolves when it is disposed of, or the target hasn't come back within 10 s: nothing is heard any more of what was begun. */
  readonly ended: Promise<void>
}
