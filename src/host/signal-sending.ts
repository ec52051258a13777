import { ReeveError } from '../core/reeve-error.ts'
import { createFailure, errnoOf } from './failure.ts'
import { findSignalNumber } from './signals.ts'

/** See `WriteHost.kill`: false if there is no such process. Throws ReeveError. */
export function sendSignal(pid: number, name: string): boolean {
  // 0 and -1 would be our own group and everybody; 1 is the system itself.
  if (!Number.isSafeInteger(pid) || Math.abs(pid) <= 1) {
    throw new ReeveError('internal', `expected the id of a process or, negative, of a group, found ${pid}`)
  }
  const signal = findSignalNumber(name)
  if (signal === undefined) throw new ReeveError('invalid', `expected a signal such as TERM or RTMIN+3, found ${name}`)
  try {
    return process.kill(pid, signal)
  } catch (error) {
    if (errnoOf(error) === 'ESRCH') return false
    throw createFailure(`send ${name} to ${pid < 0 ? `process group ${-pid}` : `process ${pid}`}`, error)
  }
}
