import type { Observed } from './observed.ts'
import { compareText } from './plan-input.ts'
import { LASTING_TROUBLE, RUN_FAILED, readinessOf } from './readiness.ts'
import type { Target } from './target.ts'
import { locationKey, type World } from './world.ts'

/**
 * A facility that is declared running and doesn't stay up, whoever has given up on it, or whose job has failed: never "as
 * declared".
 */
export interface Trouble {
  readonly facility: string
  /** As in its conditions. */
  readonly reason: string
  readonly message: string
}

/** Sorted by name. Of what is suspended nobody expects otherwise. `now` in milliseconds since 1970. */
export function findTroubles(targets: readonly Target[], world: World, now: number): Trouble[] {
  return targets
    .flatMap(({ facility }): Trouble[] => {
      if (facility.suspend) return []
      const observed = world.services.get(locationKey(facility))
      const { reason, message } = readinessOf(facility, observed, 'none', now)
      const isTrouble = LASTING_TROUBLE.has(reason) || reason === RUN_FAILED
      return isTrouble ? [{ facility: facility.name, reason, message: message + failedAt(reason, observed) }] : []
    })
    .sort((left, right) => compareText(left.facility, right.facility))
}

/** Unlike a condition, a plan is made once: the time of a failure makes no other of it. */
function failedAt(reason: string, observed: Observed | undefined): string {
  const at = reason === RUN_FAILED ? observed?.activation?.failure?.at : undefined
  return at === undefined ? '' : ` (at ${new Date(at).toISOString()})`
}
