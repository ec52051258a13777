import type { Clock } from '../../../src/host/clock.ts'
import type { Supervision } from '../observe/supervision.ts'

/** How long what only the process table tells has to last, in ms. */
const correctionLasts = 1_000

/**
 * Tells, at each look, whether a service that was told to stop has. What only the process table tells may be what the supervisor is
 * about to write down itself, and then a finish script may follow: it has to last.
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

/** As it is told at this look. */
export function isDown(found: Supervision): boolean {
  if (found.orphan) return false
  if (found.state !== 'alive') return found.state === 'dead'
  return found.status.state === 'down' && found.status.want === 'down'
}
