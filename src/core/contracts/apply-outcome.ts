import type { Facility } from '../model/facility.ts'
import type { Plan, Step } from '../plan/step.ts'
import type { ServiceState } from '../state/observed.ts'
import type { RolloutStatus } from './source-status.ts'

/** What a pass has come to: `reeve apply`, and `down`. */
export interface ApplyOutcome {
  readonly plan: Plan
  readonly failed: readonly { readonly facility: string; readonly message: string }[]
  readonly notReady: readonly { readonly facility: string; readonly message: string }[]
  /** Seen afterwards, of those that neither failed nor weren't ready. */
  readonly undone: readonly Undone[]
  readonly stepsDone: number
  /** Left alone, as they were when the plan was made. */
  readonly suspended: readonly SuspendedFacility[]
  /** What keeps what is enabled from being started after a boot, and what to do. Absent: nothing that is known. */
  readonly atBoot?: string
  /** What became of the newest revision of the Git repository. Absent: none is followed. */
  readonly revision?: RolloutStatus
}

/** Nothing was done, and nothing has gone wrong. */
export function emptyOutcome(plan: Plan): ApplyOutcome {
  return { plan, failed: [], notReady: [], undone: [], stepsDone: 0, suspended: [] }
}

/** A facility that isn't as declared, though whatever was to be done about it was done. */
export interface Undone {
  readonly facility: string
  /** What there is to do about it again. */
  readonly steps: readonly Step[]
  /** Why nothing can be done about it now. Absent: something can. */
  readonly blocked?: string
  /** Who has most likely undone it. Absent: nobody can tell. */
  readonly cause?: string
}

/** A declared facility that is left alone, with the state that it is in. */
export interface SuspendedFacility {
  readonly facility: string
  readonly state: ServiceState
  readonly declared: Facility['state']
}
