import { isObject, parseObject } from '../../../src/core/outside-value.ts'

/**
 * Protocol of supervisor.sock: one line of JSON with the actions; one line of JSON comes back for each, as it ends. A client
 * that disconnects stops waiting, but its actions continue.
 */
export interface Request {
  readonly actions: readonly RequestedAction[]
}

export interface RequestedAction {
  readonly id: string
  readonly verb: RequestVerb
  readonly service: string
  /**
   * Number of the newest run when the request was first made: a later run satisfies `start` and `restart`, however often the
   * request is repeated.
   */
  readonly after?: number
}

export type RequestVerb = 'start' | 'stop' | 'restart' | 'reload' | 'remove'

export interface Response {
  readonly id: string
  /** Absent: the action succeeded. */
  readonly error?: string
}

const verbs: readonly unknown[] = ['start', 'stop', 'restart', 'reload', 'remove']

export function isRequestVerb(value: unknown): value is RequestVerb {
  return verbs.includes(value)
}

/** Parses a request; undefined if the line is none. */
export function parseRequest(line: string): Request | undefined {
  const table = parseObject(line)
  if (!Array.isArray(table?.actions)) return undefined
  const actions: RequestedAction[] = []
  for (const action of table.actions) {
    if (!isObject(action)) return undefined
    const { id, verb, service, after } = action
    if (typeof id !== 'string' || !isRequestVerb(verb) || !isServiceName(service)) return undefined
    actions.push({ id, verb, service, ...(typeof after === 'number' && { after }) })
  }
  return { actions }
}

export function parseResponse(line: string): Response | undefined {
  const { id, error } = parseObject(line) ?? {}
  if (typeof id !== 'string') return undefined
  return typeof error === 'string' ? { id, error } : { id }
}

/** The name becomes part of paths. */
function isServiceName(value: unknown): value is string {
  return typeof value === 'string' && /^[A-Za-z0-9][A-Za-z0-9_.@:-]{0,199}$/.test(value)
}
