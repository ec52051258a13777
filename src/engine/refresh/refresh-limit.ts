import { ReeveError } from '../../core/reeve-error.ts'
import type { Clock } from '../../host/clock.ts'

/** Longest time in ms that a supervisor may take to observe all its services. */
const LIMIT = 10_000

export function withinSurvey<T>(look: Promise<T>, clock: Clock): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = clock.after(LIMIT, () =>
      reject(new ReeveError('unavailable', `it has not answered within ${LIMIT / 1_000} s`)),
    )
    look.then(resolve, reject).finally(() => timer[Symbol.dispose]())
  })
}
