import type { IncomingMessage } from 'node:http'
import type { ApplyOutcome } from '../core/contracts/apply-outcome.ts'
import type { EngineEvent, EngineListener } from '../core/contracts/engine-event.ts'
import { ReeveError } from '../core/reeve-error.ts'
import { errnoOf } from '../host/failure.ts'
import { decodeError, responseLimit } from './control-protocol.ts'

/**
 * Reads the answer to a pass to its end, reports its events and returns the outcome. Throws the ReeveError that the controller
 * failed with, or `unavailable` if it ended before the pass was over.
 */
export async function readPass(response: IncomingMessage, listener: EngineListener): Promise<ApplyOutcome> {
  for await (const line of readLines(response)) {
    const answer: unknown = JSON.parse(line)
    if (hasField(answer, 'event')) listener(toEvent(answer.event))
    else if (hasField(answer, 'outcome')) return toOutcome(answer.outcome)
    else throw decodeError(answer)
  }
  throw new ReeveError(
    'unavailable',
    'the controller ended before it was over; what it had begun goes on. See reeve status, and run it again to go on from there',
  )
}

async function* readLines(response: IncomingMessage): AsyncGenerator<string> {
  response.setEncoding('utf8')
  let rest = ''
  try {
    for await (const chunk of response) {
      const lines = `${rest}${chunk}`.split('\n')
      rest = lines.pop() ?? ''
      if (rest.length > responseLimit)
        throw new ReeveError('failed', `expected lines of at most ${responseLimit} bytes`)
      yield* lines
    }
  } catch (error) {
    // A cut connection ends the answer too.
    if (errnoOf(error) !== 'ECONNRESET') throw error
  }
}

/** Checks the outline only, as the sender is a Reeve of this user or root. */
function toEvent(value: unknown): EngineEvent {
  if (isEvent(value)) return value
  throw unexpected('an event')
}

function isEvent(value: unknown): value is EngineEvent {
  return hasField(value, 'type') && hasField(value, 'facility')
}

function toOutcome(value: unknown): ApplyOutcome {
  if (isOutcome(value)) return value
  throw unexpected('an outcome')
}

function isOutcome(value: unknown): value is ApplyOutcome {
  return (
    hasField(value, 'plan') && hasField(value, 'failed') && hasField(value, 'notReady') && hasField(value, 'undone')
  )
}

function unexpected(what: string): ReeveError {
  return new ReeveError('failed', `expected ${what}, found something else; is the controller of the same version?`)
}

function hasField<K extends string>(value: unknown, field: K): value is Record<K, unknown> {
  return typeof value === 'object' && value !== null && field in value
}
