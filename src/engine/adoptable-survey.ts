import { type Observed, unknownService } from '../core/observed.ts'
import { messageOf } from '../core/reeve-error.ts'
import type { Target } from '../core/target.ts'
import { locationKey } from '../core/world.ts'
import type { Clock } from '../host/clock.ts'
import type { BoundInstance } from './instances.ts'
import { withinSurvey } from './survey-limit.ts'

/**
 * Looks once more at services that aren't ours and are to become so, or to be added to: with what is to be written in mind, their
 * provider can tell whether what runs may go on (E20). Puts what it says in the place of what was observed.
 */
export async function observeAdoptables(
  targets: readonly Target[],
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
      const { provider, instance, readHost } = bound
      try {
        const look = provider.observeAdoptable?.(facility.service, definition, instance, readHost)
        if (look) services.set(key, await withinSurvey(look, clock))
      } catch (error) {
        services.set(key, unknownService(facility.service, messageOf(error)))
      }
    }),
  )
}
