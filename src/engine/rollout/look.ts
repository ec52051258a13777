import type { FacilityStatus } from '../../core/contracts/status.ts'
import { addTo } from '../../core/list-map.ts'
import type { Facility } from '../../core/model/facility.ts'
import type { Plan } from '../../core/plan/step.ts'
import type { ManifestSet } from '../../manifest/manifest-set.ts'
import type { RevisionRecord } from './revision-record.ts'
import { type Standing, standingOf } from './standing.ts'

/** What a pass, or a look without a controller, has found. */
export interface Look {
  readonly set: ManifestSet
  /** Commit of these manifests. */
  readonly commit: string
  readonly plan: Plan
  readonly facilities: readonly FacilityStatus[]
  /** There are steps for it that haven't begun, or its removal has not ended. */
  hasWork(facility: string): boolean
  /** Facilities whose start needs what the host lacks. */
  readonly hindered: ReadonlySet<string>
  /** Supervisors that don't answer, with the reason. */
  readonly unavailable: ReadonlyMap<string, string>
  /** Where each facility was applied last. */
  readonly applied: ReadonlyMap<string, { readonly supervisor: string }>
  /** Why facilities failed in the pass before, besides what their status says. */
  readonly failures?: ReadonlyMap<string, string>
  /** Why services that are to be removed are not. Absent: nothing keeps them. */
  readonly removalProblem?: string | undefined
}

/** How each facility that the revision changes stands. */
export function standingsOf(
  record: RevisionRecord,
  look: Look,
  declared: ReadonlyMap<string, Facility>,
): Map<string, Standing> {
  const statuses = new Map(look.facilities.map(status => [status.name, status]))
  const { applied, failures, removalProblem, unavailable } = look
  const hindered = findHindered(look, declared)
  return new Map(
    record.changed.map(name => {
      const supervisor = applied.get(name)?.supervisor ?? ''
      const reason = unavailable.get(supervisor)
      const standing = standingOf({
        status: statuses.get(name),
        isDeclared: declared.has(name),
        hasWork: look.hasWork(name),
        isHindered: hindered.has(name),
        silence: reason === undefined ? undefined : `supervisor ${supervisor} is unavailable: ${reason}`,
        failure: failures?.get(name),
        removalProblem,
      })
      return [name, standing]
    }),
  )
}

/** Facilities that the host keeps from starting, and all that depend on one. */
function findHindered({ applied, hindered, unavailable }: Look, declared: ReadonlyMap<string, Facility>): Set<string> {
  const isSilent = (supervisor: string | undefined): boolean => supervisor !== undefined && unavailable.has(supervisor)
  const dependents = new Map<string, string[]>()
  const found = new Set<string>()
  for (const { name, supervisor, dependsOn } of declared.values()) {
    for (const dependency of dependsOn) addTo(dependents, dependency, name)
    if (hindered.has(name) || isSilent(supervisor) || isSilent(applied.get(name)?.supervisor)) found.add(name)
  }
  // A set also gives what is added to it meanwhile.
  for (const name of found) for (const dependent of dependents.get(name) ?? []) found.add(dependent)
  return found
}
