import { ReeveError } from '../../core/reeve-error.ts'
import type { Clock } from '../../host/clock.ts'

/** How long a supervisor may take to tell of all its services, in milliseconds. */
const LIMIT = 10_000

export function withinSurvey<T>(look: Promise<T>, clock: Clock): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = clock.after(LIMIT, () =>
      reject(new ReeveError('unavailable', `it has not answered within ${LIMIT / 1_000} s`)),
    )
    look.then(resolve, reject).finally(() => timer[Symbol.dispose]())
  })
}
