import type { Clock } from '../../../src/host/clock.ts'
import type { Supervision } from '../observe/supervision.ts'

/** Time in ms that a state known only from the process table has to last. */
const correctionLasts = 1_000

/**
 * Tells, at each observation, whether a service that was told to stop is down. What only the process table says, the
 * supervisor may be about to record, and a finish script may follow: it has to last.
 */
export function createDownCheck(clock: Clock): (found: Supervision) => boolean {
  let since: number | undefined
  return found => {
    if (!isDown(found) || found.state !== 'alive' || !found.status.isCorrected) {
      since = undefined
      return isDown(found)
    }
    since ??= clock.elapsed()
    return clock.elapsed() - since >= correctionLasts
  }
}

/** State at this observation. */
export function isDown(found: Supervision): boolean {
  if (found.orphan) return false
  if (found.state !== 'alive') return found.state === 'dead'
  return found.status.state === 'down' && found.status.want === 'down'
}
