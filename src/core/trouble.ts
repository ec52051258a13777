import { compareText } from './plan-input.ts'
import { LASTING_TROUBLE, readinessOf } from './readiness.ts'
import type { Target } from './target.ts'
import { locationKey, type World } from './world.ts'

/** A facility that is declared running and doesn't stay up, whoever has given up on it: never "as declared". */
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
      return LASTING_TROUBLE.has(reason) ? [{ facility: facility.name, reason, message }] : []
    })
    .sort((left, right) => compareText(left.facility, right.facility))
}
