/**
 * What a provider may ask while it only looks, beside reading files. Nothing of it may write (E2): the host refuses what no rule
 * allows, by ReeveError `internal`. A function that throws, or gives anything but true, says no.
 */
export interface QueryRules {
  /** The command lines that `ReadHost.query` may run. */
  readonly queries?: readonly CommandRule[]
  /** The D-Bus methods that `Bus.query` may call: `org.freedesktop.systemd1.Manager.ListUnits`. */
  readonly busQueries?: readonly string[]
  /** The HTTP requests that `ReadHost.querySocket` may make. */
  readonly socketQueries?: readonly SocketRule[]
}

/** A prefix, `['systemctl', 'show']`, or a function of the whole command line, where what matters stands elsewhere. */
export type CommandRule = readonly string[] | ((command: readonly string[]) => boolean)

/**
 * `path` has whole segments: `/status` allows `/status`, `/status/web` and `/status?all`, and not `/statuses` or `/status/../stop`.
 * A function sees the request as it is, with what its headers and body ask for.
 */
export type SocketRule =
  | { readonly method: string; readonly path: string }
  | ((request: Readonly<SocketQuestion>) => boolean)

/** An HTTP request to a unix socket. */
export interface SocketQuestion {
  readonly method: string
  /** With its query string: `/status?format=xml`. */
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  /** Empty: there is none. */
  readonly body: string
}
