import type { ApplyOutcome } from '../core/contracts/apply-outcome.ts'
import type { ControlOptions, ControlVerb, PassWish, Settings, SyncWish } from '../core/contracts/control.ts'
import type { EngineEvent } from '../core/contracts/engine-event.ts'
import { createDictionary } from '../core/dictionary.ts'
import { type ErrorCode, ReeveError, type SourcePosition } from '../core/reeve-error.ts'

/**
 * What goes over the control socket: HTTP with JSON bodies.
 *
 *   GET  /ping                                  → Greeting
 *   GET  /status[?name=NAME]                    → Status
 *   POST /act      {verb, name, options?}       → ControlOutcome
 *   POST /suspend  {name}                       → ControlOutcome
 *   POST /resume   {name}                       → ControlOutcome
 *   POST /plan-down  {names, settings}          → Plan
 *   POST /sync     {retries?, waits?}           → SourceStatus
 *   POST /accept   {name: COMMIT}               → SourceStatus
 *   POST /rollback {revision?}                  → RevisionReport
 *   POST /apply    {wish, settings}             → PassLines
 *   POST /down     {names, settings}            → PassLines
 *
 * Anything but 200 carries an ErrorBody. The answer to a pass lasts as long as the pass: a line for each event,
 * and a last one for the outcome. A client that closes the connection sooner has left: see `createControllerPasses`.
 */
export interface Greeting {
  readonly pid: number
  /** Version of the controller's Reeve. This field and the next are absent in older ones. */
  readonly version?: string
  readonly protocol?: number
}

/** Revision of the protocol: 1 adds passes, 2 the source, 3 roll-outs. */
export const protocol = 3

/** One line of the answer to a pass, as JSON. */
export type PassLine =
  | { readonly event: EngineEvent }
  | { readonly outcome: ApplyOutcome }
  | { readonly error: ErrorBody['error'] }

export interface ApplyRequest {
  readonly wish: PassWish
  readonly settings: Settings
}

export interface DownRequest {
  readonly names: readonly string[]
  readonly settings: Settings
}

export interface ActRequest {
  readonly verb: ControlVerb
  readonly name: string
  readonly options: ControlOptions
}

export interface ErrorBody {
  readonly error: { readonly code: ErrorCode; readonly message: string; readonly position?: SourcePosition }
}

/** Largest body, in bytes. */
export const requestLimit: number = 64 * 1024
export const responseLimit: number = 64 * 1024 * 1024

const verbs: readonly string[] = ['start', 'stop', 'restart', 'reload', 'enable', 'disable'] satisfies ControlVerb[]

/** Throws ReeveError `usage`. */
export function parseActRequest(body: unknown): ActRequest {
  const { verb, options = {} } = parseObject(body)
  if (!isVerb(verb))
    throw new ReeveError('usage', `expected a verb (${verbs.join(', ')}), found ${JSON.stringify(verb)}`)
  return { verb, name: parseName(body), options: parseOptions(options) }
}

/** Throws ReeveError `usage`. */
export function parseName(body: unknown): string {
  const { name } = parseObject(body)
  if (typeof name === 'string') return name
  throw new ReeveError('usage', `expected the name of a facility, found ${JSON.stringify(name)}`)
}

/** Throws ReeveError `usage`. */
export function parseApplyRequest(body: unknown): ApplyRequest {
  const { wish, settings } = parseObject(body)
  const { allowRemovals, saved, fetch } = parseObject(wish)
  if (allowRemovals !== undefined && !Number.isSafeInteger(allowRemovals))
    throw new ReeveError('usage', `expected a whole number of removals, found ${JSON.stringify(allowRemovals)}`)
  return {
    wish: {
      ...(allowRemovals === undefined ? {} : { allowRemovals: Number(allowRemovals) }),
      ...(fetch === false ? { fetch } : {}),
      ...(saved === undefined ? {} : { saved: { digest: String(parseObject(saved).digest) } }),
    },
    settings: parseSettings(settings),
  }
}

/** Throws ReeveError `usage`. */
export function parseDownRequest(body: unknown): DownRequest {
  const { names, settings } = parseObject(body)
  if (!Array.isArray(names) || !names.every(name => typeof name === 'string'))
    throw new ReeveError('usage', `expected a list of facilities, found ${JSON.stringify(names)}`)
  return { names, settings: parseSettings(settings) }
}

/** Checks the outline only, as the sender is a Reeve of this user or root. Throws ReeveError `failed`. */
export function expectAnswer<T extends object>(answer: unknown, what: string, fields: readonly (keyof T)[]): T {
  if (hasFields(answer, fields)) return answer
  throw new ReeveError('failed', `expected ${what}, found something else; is the controller of the same version?`)
}

export function hasFields<T extends object>(value: unknown, fields: readonly (keyof T)[]): value is T {
  return typeof value === 'object' && value !== null && fields.every(field => field in value)
}

function parseSettings(value: unknown): Settings {
  const entries = Object.entries(parseObject(value))
  return createDictionary(entries.map(([name, setting]) => [name, String(setting)] as const))
}

/** Throws ReeveError `usage`. */
export function parseSyncRequest(body: unknown): SyncWish {
  const { retries, waits } = parseObject(body)
  return { retries: retries === true, waits: waits === true }
}

/** The revision to go back to; undefined: the newest healthy one. Throws ReeveError `usage`. */
export function parseRollbackRequest(body: unknown): string | undefined {
  const { revision } = parseObject(body)
  if (revision === undefined || typeof revision === 'string') return revision
  throw new ReeveError('usage', `expected a revision, found ${JSON.stringify(revision)}`)
}

/** Encodes errors by their message only. */
export function encodeEvent(event: EngineEvent): EngineEvent {
  if (event.type !== 'step-finished' || !event.error) return event
  const { name, message } = event.error
  return { ...event, error: { name, message } }
}

function parseOptions(value: unknown): ControlOptions {
  const { ifStopped, ifChanged, suspend } = parseObject(value)
  return { ifStopped: ifStopped === true, ifChanged: ifChanged === true, suspend: suspend === true }
}

function parseObject(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null) return { ...value }
  throw new ReeveError('usage', `expected a JSON object, found ${JSON.stringify(value)}`)
}

function isVerb(value: unknown): value is ControlVerb {
  return typeof value === 'string' && verbs.includes(value)
}

/** All error codes, to recognise one that came over the socket. */
const httpStatus: Readonly<Record<ErrorCode, number>> = {
  usage: 400,
  invalid: 422,
  insecure: 403,
  locked: 409,
  refused: 409,
  'stale-plan': 409,
  'not-found': 404,
  unavailable: 503,
  failed: 500,
  'not-ready': 504,
  aborted: 503,
  internal: 500,
}

export function encodeError(error: unknown): { readonly status: number; readonly body: ErrorBody } {
  if (!(error instanceof ReeveError)) {
    const message = error instanceof Error ? error.message : String(error)
    return { status: httpStatus.internal, body: { error: { code: 'internal', message } } }
  }
  const { code, message, position } = error
  return { status: httpStatus[code], body: { error: { code, message, ...(position && { position }) } } }
}

/** Decodes a ReeveError. */
export function decodeError(body: unknown): ReeveError {
  const { error } = parseObject(body)
  const { code, message, position } = parseObject(error)
  const found = position === undefined ? {} : { position: parsePosition(position) }
  return new ReeveError(isErrorCode(code) ? code : 'internal', String(message), found)
}

function isErrorCode(value: unknown): value is ErrorCode {
  return typeof value === 'string' && Object.hasOwn(httpStatus, value)
}

function parsePosition(value: unknown): SourcePosition {
  const { file, line, column } = parseObject(value)
  return { file: String(file), line: Number(line), column: Number(column) }
}
