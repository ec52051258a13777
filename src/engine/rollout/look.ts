import type { FacilityStatus } from '../../core/contracts/status.ts'
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
  /** The host lacks what some facility's start needs, or one of its supervisors doesn't answer. */
  readonly isHindered: boolean
  /** Why facilities failed in the pass before, besides what their status says. */
  readonly failures?: ReadonlyMap<string, string>
  /** Why services that are to be removed are not. Absent: nothing keeps them. */
  readonly removalProblem?: string | undefined
}

/** How each facility that the revision changes stands. */
export function standingsOf(record: RevisionRecord, look: Look, declared: ReadonlySet<string>): Map<string, Standing> {
  const statuses = new Map(look.facilities.map(status => [status.name, status]))
  const { failures, ...found } = look
  return new Map(
    record.changed.map(name => {
      const [isDeclared, hasWork, failure] = [declared.has(name), look.hasWork(name), failures?.get(name)]
      return [name, standingOf({ ...found, status: statuses.get(name), isDeclared, hasWork, failure })]
    }),
  )
}
