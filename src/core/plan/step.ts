import type { Diagnostic } from '../model/diagnostic.ts'
import type { Location } from '../state/snapshot.ts'
import type { Trouble } from '../state/trouble.ts'
import type { UnwritableReport } from '../state/unwritable.ts'
import type { Reason } from './reason.ts'
import type { Verb } from './verb.ts'

/** One action on one service (or on one file of it). Data only: it can be printed, saved and compared. */
export interface Step {
  /** Unique among the steps of the plan: `web/start`, `web/write-file:/etc/web.toml`, and for the old side of a move `web/stop@runit:web`. */
  readonly id: string
  readonly verb: Verb
  readonly reason: Reason
  /** Why, in words, where more is known than the reason tells. */
  readonly detail?: string
  /** Ids of steps that must have succeeded before; a start of another facility also has to have become ready. */
  readonly needs: readonly string[]
  /** Absolute, for `write-file`, `remove-file` and `restore-file`. */
  readonly path?: string
  /** Where it isn't the facility's own: the old side of a move. */
  readonly target?: Location
  /** Unified, secrets redacted. */
  readonly diff?: string
}

/** `to do: install, restart`: what there is to do about a facility, where nobody is doing it. Undefined: nothing. */
export function describePending(
  plan: Pick<FacilityPlan, 'steps' | 'blocked' | 'withheld'> | undefined,
): string | undefined {
  const { steps = [], blocked } = plan?.withheld ?? plan ?? {}
  if (blocked !== undefined) return `blocked: ${blocked}`
  return steps.length === 0 ? undefined : `to do: ${steps.map(step => step.verb).join(', ')}`
}

export type Change = 'add' | 'change' | 'repair' | 'remove' | 'none'

export interface FacilityPlan {
  readonly name: string
  readonly supervisor: string
  readonly service: string
  readonly change: Change
  /** What the facility was called till now, where this plan gives it its new name. */
  readonly renamedFrom?: string
  readonly steps: readonly Step[]
  /** What is done where the move fails. Absent: it is no move, or nothing would be put back. */
  readonly rollback?: Rollback
  /** Files that Reeve lets go of without removing them (E19). */
  readonly kept?: readonly KeptFile[]
  /** Files that are taken over and can't be put back later. */
  readonly unkept?: readonly KeptFile[]
  /** What is in its way, and what to do. Then it has no steps but those that stop and disable it. */
  readonly blocked?: string
  /** Left alone, whatever it is like: by its manifest, or as a person suspended it. Then it has no steps. */
  readonly suspended?: true
  /** What would be done if it weren't suspended. Nothing carries it out. Absent: nothing. */
  readonly withheld?: Withheld
}

export interface Rollback {
  /** Where the facility runs again. */
  readonly to: Location
  /** Id of the step of the plan that touches the old service first: it is rolled back if this one fails, or one after it. */
  readonly from: string
  /** Their ids are unique among themselves. */
  readonly steps: readonly Step[]
}

export interface Withheld {
  readonly change: Exclude<Change, 'remove'>
  readonly steps: readonly Step[]
  readonly blocked?: string
}

export interface KeptFile {
  readonly path: string
  /** Why it isn't removed, or no copy of it is kept; for people. */
  readonly why: string
}

export interface PlanSummary {
  readonly add: number
  readonly change: number
  readonly repair: number
  readonly remove: number
  readonly unchanged: number
  readonly blocked: number
}

/** Pure data, sorted: the same input gives the same bytes. Its JSON is `schemas/plan.schema.json`. */
export interface Plan {
  readonly formatVersion: 1
  /** SHA-256 over the rest and all that is declared, hexadecimal: equal digests mean the same work. */
  readonly digest: string
  readonly facilities: readonly FacilityPlan[]
  readonly summary: PlanSummary
  readonly diagnostics: readonly Diagnostic[]
  /**
   * Facilities that are declared running and don't stay up, as they were when the plan was made: whether there are steps for
   * them or not, they aren't as declared. No part of the digest, as it changes nothing of the work. Absent: there are none.
   */
  readonly troubles?: readonly Trouble[]
  /**
   * Where a supervisor couldn't write down what it does when the plan was made, as on a full disk. No part of the digest. Absent:
   * nowhere.
   */
  readonly unwritable?: readonly UnwritableReport[]
}

/** A plan in a file, which remembers the manifests directory (absolute) that it was made from. */
export interface SavedPlan extends Plan {
  readonly manifests?: string
}
