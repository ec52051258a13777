import type { IncomingMessage } from 'node:http'
import type { ApplyOutcome } from '../core/contracts/apply-outcome.ts'
import type { EngineListener } from '../core/contracts/engine-event.ts'
import { ReeveError } from '../core/reeve-error.ts'
import { errnoOf } from '../host/failure.ts'
import { decodeError, expectAnswer, hasFields, responseLimit } from './control-protocol.ts'

/**
 * Reads the answer to a pass to its end, reports its events and returns the outcome. Throws the ReeveError that the controller
 * failed with, or `unavailable` if it ended before the pass was over.
 */
export async function readPass(response: IncomingMessage, listener: EngineListener): Promise<ApplyOutcome> {
  for await (const line of readLines(response)) {
    const answer: unknown = JSON.parse(line)
    if (hasFields<{ event: unknown }>(answer, ['event'])) {
      listener(expectAnswer(answer.event, 'an event', ['type', 'facility']))
    } else if (hasFields<{ outcome: unknown }>(answer, ['outcome'])) {
      return expectAnswer<ApplyOutcome>(answer.outcome, 'an outcome', ['plan', 'failed', 'notReady', 'undone'])
    } else throw decodeError(answer)
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
