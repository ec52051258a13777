/**
 * Queries that a provider may make while observing, besides reading files. None may write (E2). The host refuses any other with
 * ReeveError `internal`. A rule that is a function allows a query only by returning true.
 */
export interface QueryRules {
  /** Command lines for `ReadHost.query`. */
  readonly queries?: readonly CommandRule[]
  /** D-Bus methods for `Bus.query`: `org.freedesktop.systemd1.Manager.ListUnits`. */
  readonly busQueries?: readonly string[]
  /** HTTP requests for `ReadHost.querySocket`. */
  readonly socketQueries?: readonly SocketRule[]
}

/** A prefix, `['systemctl', 'show']`, or a function of the whole command line: `monit -c FILE status`. */
export type CommandRule = readonly string[] | ((command: readonly string[]) => boolean)

/**
 * A method and a path of whole segments: `/status` allows `/status`, `/status/web` and `/status?all`, but not `/statuses` or
 * `/status/../stop`. Or a function of the request with its headers and body.
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
  /** Empty if there is none. */
  readonly body: string
}
