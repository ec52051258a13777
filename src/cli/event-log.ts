import type { EngineEvent, EngineListener } from '../core/contracts/engine-event.ts'
import type { Log } from '../core/contracts/log.ts'
import { messageOf } from '../core/reeve-error.ts'
import { reasonText, stepDoneText, stepOmittedText, stepText, waitingText } from './reason-text.ts'

/** Logs the controller's actions: fields for programs, the message for people. */
export function createEventLog(log: Log): EngineListener {
  return event => {
    if (event.type === 'waiting') {
      log.info({ facility: event.facility }, `${event.facility}: ${waitingText(event)}`)
    } else if (event.type === 'step-finished') {
      logStep(event, log)
    }
  }
}

function logStep(
  { facility, step, at, duration, error, result }: EngineEvent & { type: 'step-finished' },
  log: Log,
): void {
  const { supervisor, service } = at
  const fields = {
    facility,
    step: step.id,
    verb: step.verb,
    reason: step.reason,
    supervisor,
    service,
    result,
    duration,
  }
  const why = reasonText(step)
  if (result === 'done') log.info(fields, `${facility}: ${stepDoneText(step)} (${why})`)
  else if (result === 'aborted')
    log.info(fields, `${facility}: not ${stepOmittedText(step)}: ${error ? messageOf(error) : 'given up'}`)
  else if (result === 'failed') {
    const message = error ? messageOf(error) : 'no reason given'
    log.error({ ...fields, error: message }, `${facility}: could not ${stepText(step)}: ${message}`)
  }
}
