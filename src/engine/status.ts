import { type Condition, findCondition } from '../core/conditions.ts'
import type { Exit, ServiceState } from '../core/observed.ts'
import type { HealthState } from '../core/readiness.ts'
import type { UnwritableReport } from '../core/unwritable.ts'

export type { Condition, HealthState }

/** `reeve status -o json` and `GET /status` of the control socket: `schemas/status.schema.json`. */
export interface Status {
  readonly facilities: readonly FacilityStatus[]
  /** Where the controller, or a supervisor, can't write down what it does, as on a full disk. Absent: nowhere. */
  readonly unwritable?: readonly UnwritableReport[]
  /** What keeps what is enabled from being started after a boot, and what to do. Absent: nothing that is known. */
  readonly atBoot?: string
  /** Absent when no controller runs. */
  readonly controller?: {
    readonly pid: number
    /** ISO 8601. */
    readonly since: string
    readonly lastPass: string | null
    /** Messages about the manifests and supervisors as a whole, e.g. of invalid files. */
    readonly problems: readonly string[]
  }
}

export interface LastExit extends Exit {
  /** In words: `exited with code 3`. */
  readonly message: string
}

export interface FacilityStatus {
  readonly name: string
  readonly supervisor: string
  readonly service: string
  readonly state: ServiceState
  readonly enabled: boolean | null
  readonly pid: number | null
  /** ISO 8601; since when in this state. */
  readonly since: string | null
  readonly health: HealthState
  /** How often its supervisor has started it again by itself since it was last asked to. Absent: the supervisor doesn't say. */
  readonly restarts?: number
  /** How its last run ended: while it runs, the run before this one. Absent: the supervisor doesn't say, or there was none. */
  readonly lastExit?: LastExit
  /** Where what it writes can be read: a path, or a command. Absent where the supervisor doesn't say. */
  readonly output?: string
  /** Files of others that change how it is run. Absent: none that the supervisor tells of. */
  readonly overrides?: readonly string[]
  readonly conditions: readonly Condition[]
  /** What there is to do about it, where nobody is doing it: it is otherwise than declared. Absent: nothing. */
  readonly pending?: string
  /** Where it is still found besides: it is being moved from there, or that failed. Absent: nowhere. */
  readonly elsewhere?: readonly OtherPlace[]
}

/** By a manifest or a person: suspended, or undeclared and kept. It is observed, and nothing is done about it. */
export function isLeftAlone(status: FacilityStatus): boolean {
  return isSuspended(status) || isUndeclared(status)
}

export function isSuspended({ conditions }: FacilityStatus): boolean {
  return findCondition(conditions, 'Reconciling')?.reason === 'Suspended'
}

export function isUndeclared({ conditions }: FacilityStatus): boolean {
  return findCondition(conditions, 'Ready')?.reason === 'Undeclared'
}

export interface OtherPlace {
  readonly supervisor: string
  readonly service: string
  readonly state: ServiceState
  readonly pid: number | null
}
