/** Where in a manifest something stands. `line` and `column` count from 1. */
export interface SourcePosition {
  readonly file: string
  readonly line: number
  readonly column: number
}

/** What went wrong, for programs. The message says it for people. */
export type ErrorCode =
  | 'usage' // the command line or a request is wrong
  | 'invalid' // manifests or configuration don't pass their checks
  | 'insecure' // others can write what root is to trust
  | 'locked' // another process is the writer of this state directory
  | 'refused' // done, it would break a promise; the message names the way around
  | 'stale-plan' // the saved plan no longer fits the host
  | 'not-found' // no facility, supervisor, provider or file of that name
  | 'unavailable' // the supervisor doesn't answer
  | 'failed' // an action was tried and didn't succeed
  | 'not-ready' // a facility didn't become ready in time
  | 'aborted' // given up on purpose: overtaken by a newer manifest, or shutting down
  | 'internal' // a bug of Reeve's

/** Reeve's one error type. The message says what was expected, what was found, and what to do. */
export class ReeveError extends Error {
  /** By name: an outside provider may have a copy of this class of its own. */
  static override [Symbol.hasInstance](value: unknown): value is ReeveError {
    return value instanceof Error && value.name === 'ReeveError'
  }

  override readonly name = 'ReeveError'
  readonly code: ErrorCode
  readonly position: SourcePosition | undefined

  constructor(code: ErrorCode, message: string, options: { cause?: unknown; position?: SourcePosition } = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause })
    this.code = code
    this.position = options.position
  }
}

/** The short thing to say about any thrown value. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

export function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}
