import type { Facility } from '../model/facility.ts'
import type { Plan, Step } from '../plan/step.ts'
import type { ServiceState } from '../state/observed.ts'
import type { RolloutStatus, WaitingRevision } from './source-status.ts'

/** Outcome of a pass of `reeve apply` or `reeve down`. */
export interface ApplyOutcome {
  readonly plan: Plan
  readonly failed: readonly { readonly facility: string; readonly message: string }[]
  readonly notReady: readonly { readonly facility: string; readonly message: string }[]
  /** Facilities whose steps succeeded, and that the final observation finds otherwise than declared. */
  readonly undone: readonly Undone[]
  readonly stepsDone: number
  /** Suspended facilities, with their state when the plan was made. */
  readonly suspended: readonly SuspendedFacility[]
  /** Reason why enabled services will not start after a boot, and what to do. Absent: no such reason is known. */
  readonly atBoot?: string
  /** Roll-out of the newest revision of the Git repository. Absent: no repository is followed. */
  readonly revision?: RolloutStatus
  /** Newer revision that doesn't come into force. Absent: there is none, or a person has chosen the one in force. */
  readonly waiting?: WaitingRevision
}

/** Outcome of a pass without steps and without failures. */
export function emptyOutcome(plan: Plan): ApplyOutcome {
  return { plan, failed: [], notReady: [], undone: [], stepsDone: 0, suspended: [] }
}

/** A facility that isn't as declared, although all of its steps succeeded. */
export interface Undone {
  readonly facility: string
  /** Steps that are due again. */
  readonly steps: readonly Step[]
  /** Blocker. Absent: the steps can be carried out. */
  readonly blocked?: string
  /** Most likely cause. Absent: unknown. */
  readonly cause?: string
}

/** A suspended facility, with its observed and its declared state. */
export interface SuspendedFacility {
  readonly facility: string
  readonly state: ServiceState
  readonly declared: Facility['state']
}
