import type { ResolvedFacility } from '../model/resolved-facility.ts'
import { compareText } from '../text/text-order.ts'
import type { Observed } from './observed.ts'
import { LASTING_TROUBLE, RUN_FAILED, readinessOf, STARTING } from './readiness.ts'
import { locationKey, type Snapshot } from './snapshot.ts'

/**
 * A facility that is declared running and doesn't stay up, whoever has given up on it, whose job has failed, or that is still
 * being started: never "as declared".
 */
export interface Trouble {
  readonly facility: string
  /** As in its conditions. */
  readonly reason: string
  readonly message: string
}

/** Finds facilities in trouble, sorted by name, without suspended ones. `now` in milliseconds since 1970. */
export function findTroubles(targets: readonly ResolvedFacility[], snapshot: Snapshot, now: number): Trouble[] {
  return targets
    .flatMap(({ facility }): Trouble[] => {
      if (facility.suspend) return []
      const observed = snapshot.services.get(locationKey(facility))
      const { reason, message } = readinessOf(facility, observed, 'none', now)
      const isStarting = reason === STARTING && observed?.state === 'starting'
      const isTrouble = isStarting || LASTING_TROUBLE.has(reason) || reason === RUN_FAILED
      return isTrouble ? [{ facility: facility.name, reason, message: message + timeOf(reason, observed) }] : []
    })
    .sort((left, right) => compareText(left.facility, right.facility))
}

/** Time to append to a message. A plan is made once, so unlike a condition it may hold times. */
function timeOf(reason: string, observed: Observed | undefined): string {
  if (reason === STARTING) return told('since', observed?.since)
  return reason === RUN_FAILED ? told('at', observed?.activation?.failure?.at) : ''
}

function told(word: string, time: number | undefined): string {
  return time === undefined ? '' : ` (${word} ${new Date(time).toISOString()})`
}
