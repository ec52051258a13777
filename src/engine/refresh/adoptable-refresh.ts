import type { ResolvedFacility } from '../../core/model/resolved-facility.ts'
import { messageOf } from '../../core/reeve-error.ts'
import { type Observed, unknownService } from '../../core/state/observed.ts'
import { locationKey } from '../../core/state/snapshot.ts'
import type { Clock } from '../../host/clock.ts'
import type { BoundInstance } from '../session/supervisor-instances.ts'
import { withinSurvey } from './refresh-limit.ts'

/**
 * Observes services to be adopted or added to once more, with the definition to be written: by it, the provider can tell whether the
 * running process may continue (E20). Replaces their earlier observations in `services`.
 */
export async function observeAdoptables(
  targets: readonly ResolvedFacility[],
  services: Map<string, Observed>,
  {
    instances,
    owner,
    clock,
  }: { readonly instances: ReadonlyMap<string, BoundInstance>; readonly owner: string; readonly clock: Clock },
): Promise<void> {
  await Promise.all(
    targets.map(async ({ facility, definition }) => {
      const key = locationKey(facility)
      const observed = services.get(key)
      const bound = instances.get(facility.supervisor)
      if (!definition || !observed || !bound) return
      if (observed.state === 'absent' || observed.state === 'unknown' || observed.ownership?.owner === owner) return
      if (!facility.adopt && !definition.isAddition) return
      try {
        const look = bound.observer.observeAdoptable?.(facility.service, definition)
        if (look) services.set(key, await withinSurvey(look, clock))
      } catch (error) {
        services.set(key, unknownService(facility.service, messageOf(error)))
      }
    }),
  )
}
