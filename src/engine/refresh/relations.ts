import type { DeclaredService, RelateOptions } from '../../core/contracts/provider.ts'
import { addTo } from '../../core/list-map.ts'
import type { ResolvedFacility } from '../../core/model/resolved-facility.ts'
import { messageOf } from '../../core/reeve-error.ts'
import type { Observed } from '../../core/state/observed.ts'
import type { ServiceTies } from '../../core/state/relation.ts'
import { type Location, locationKey, type Snapshot } from '../../core/state/snapshot.ts'
import type { BoundInstance } from '../session/supervisor-instances.ts'

export interface RelationOptions extends RelateOptions {
  readonly instances: ReadonlyMap<string, BoundInstance>
  readonly targets: readonly ResolvedFacility[]
  /** Services whose present definition isn't the declared one. */
  readonly changed?: readonly Location[]
  /** Owned services that no facility declares: they are about to be removed. */
  readonly leaving?: readonly Location[]
  /** Observed services, by `locationKey`. */
  readonly services: ReadonlyMap<string, Observed>
  /** Unavailable supervisors. */
  readonly unavailable: ReadonlyMap<string, string>
  /** Limits the time that a provider may take. */
  limited<T>(asked: Promise<T>): Promise<T>
  /** The provider failed: nothing is known of that supervisor's services. */
  failed(supervisor: string, reason: string): void
}

/** Relations between the services of all facilities, and those about to be removed, as their providers report them. By `locationKey`. */
export async function relateServices(
  options: RelationOptions,
): Promise<Required<Pick<Snapshot, 'ties' | 'formerTies'>>> {
  const ties = new Map<string, ServiceTies>()
  const formerTies = new Map<string, ServiceTies>()
  const asked = new Map<string, DeclaredService[]>()
  for (const target of options.targets) {
    // No step is ever planned for a facility with problems.
    if (target.problems.length === 0)
      addTo(asked, target.facility.supervisor, declaredService(target, options.services))
  }
  // By themselves, as what they are now has no say in what the others will be.
  const leaving = asTheyAre(options.leaving)
  const changed = asTheyAre(options.changed)
  const relate = async (
    result: Map<string, ServiceTies>,
    supervisor: string,
    declared: readonly DeclaredService[],
  ): Promise<void> => {
    const bound = options.instances.get(supervisor)
    if (!bound || options.unavailable.has(supervisor)) return
    const { isElsewhere = false } = options
    try {
      const answer = bound.observer.relate?.(declared, { isElsewhere })
      const found = answer ? await options.limited(answer) : []
      for (const [service, one] of found) result.set(locationKey({ supervisor, service }), one)
    } catch (error) {
      options.failed(supervisor, messageOf(error))
    }
  }
  await Promise.all([
    ...[...asked, ...leaving].map(([supervisor, declared]) => relate(ties, supervisor, declared)),
    ...[...changed].map(([supervisor, declared]) => relate(formerTies, supervisor, declared)),
  ])
  return { ties, formerTies }
}

function asTheyAre(locations: readonly Location[] = []): Map<string, DeclaredService[]> {
  const asked = new Map<string, DeclaredService[]>()
  for (const { supervisor, service } of locations) addTo(asked, supervisor, { service, enabled: 'unmanaged' })
  return asked
}

function declaredService(
  { facility, definition }: ResolvedFacility,
  services: RelationOptions['services'],
): DeclaredService {
  const { service, enabled } = facility
  const { definitionFiles, ownership } = services.get(locationKey(facility)) ?? {}
  // Without a definition, only additions to somebody else's service are removed.
  const isRenewed = definition !== undefined || ownership?.isAddition === true
  return {
    service,
    enabled,
    ...(definition && { definition }),
    ...(isRenewed && definitionFiles && { definitionFiles }),
  }
}
