import type { Diagnostic } from '../model/diagnostic.ts'
import type { Location } from '../state/snapshot.ts'
import type { Trouble } from '../state/trouble.ts'
import type { UnwritableReport } from '../state/unwritable.ts'
import type { Reason } from './reason.ts'
import type { Verb } from './verb.ts'

/** Step: one action on one service, or on one file of it. Plain data that can be printed, saved and compared. */
export interface Step {
  /** Unique among the steps of the plan: `web/start`, `web/write-file:/etc/web.toml`, and for the old service of a move `web/stop@runit/web`. */
  readonly id: string
  readonly verb: Verb
  readonly reason: Reason
  /** Details in words, if more is known than the reason tells. */
  readonly detail?: string
  /** Ids of steps that must be done before; if one is the start of another facility, that has to be ready as well. */
  readonly needs: readonly string[]
  /** Absolute path, for `write-file`, `remove-file` and `restore-file`. */
  readonly path?: string
  /** Location, if it isn't the facility's own: the old service of a move. */
  readonly target?: Location
  /** Unified diff, with secrets redacted. */
  readonly diff?: string
}

/** `to do: install, restart`: steps of a facility that nobody carries out. Undefined if there are none. */
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
  /** Former name of the facility, if this plan renames it. */
  readonly renamedFrom?: string
  readonly steps: readonly Step[]
  /** Rollback of a move. Absent: the plan is no move, or the facility isn't declared running. */
  readonly rollback?: Rollback
  /** Files that are released without being removed (E19). */
  readonly kept?: readonly KeptFile[]
  /** Adopted files that cannot be restored later. */
  readonly unkept?: readonly KeptFile[]
  /** Blocker, with what to do about it. The only steps are then those that stop and disable the service. */
  readonly blocked?: string
  /** The facility is suspended, by its manifest or by `reeve suspend`, and has no steps. */
  readonly suspended?: true
  /** What would be done without the suspension; never carried out. Absent: nothing. */
  readonly withheld?: Withheld
}

export interface Rollback {
  /** Location of the old service, which runs again. */
  readonly to: Location
  /** Id of the first step that affects the old service: a failure of this or a later step is rolled back. */
  readonly from: string
  /** Steps with ids that are unique among themselves. */
  readonly steps: readonly Step[]
}

export interface Withheld {
  readonly change: Exclude<Change, 'remove'>
  readonly steps: readonly Step[]
  readonly blocked?: string
}

export interface KeptFile {
  readonly path: string
  /** Why the file isn't removed, or no copy of it is kept; for people. */
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

/** Plan: sorted plain data, where the same input gives the same bytes. Its JSON is described by `schemas/plan.schema.json`. */
export interface Plan {
  readonly formatVersion: 1
  /** Hexadecimal SHA-256 of the rest and of all declared facilities: equal digests mean the same work. */
  readonly digest: string
  readonly facilities: readonly FacilityPlan[]
  readonly summary: PlanSummary
  readonly diagnostics: readonly Diagnostic[]
  /**
   * Facilities that are declared running and didn't stay up when the plan was made: with or without steps, they aren't as declared.
   * No part of the digest, as the work is the same. Absent: none.
   */
  readonly troubles?: readonly Trouble[]
  /**
   * Places where a supervisor could not write its records when the plan was made, as on a full disk. No part of the digest. Absent:
   * none.
   */
  readonly unwritable?: readonly UnwritableReport[]
}

/** Plan in a file, with the absolute manifests directory that it was made from. */
export interface SavedPlan extends Plan {
  readonly manifests?: string
}
