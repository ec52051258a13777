import { type Condition, findCondition } from '../reconcile/conditions.ts'
import type { Exit, Run, ServiceState } from '../state/observed.ts'
import type { HealthState } from '../state/readiness.ts'
import type { UnwritableReport } from '../state/unwritable.ts'
import type { SourceStatus } from './source-status.ts'

export type { Condition, HealthState }

/** `reeve status -o json` and `GET /status` of the control socket: `schemas/status.schema.json`. */
export interface Status {
  /** Report mode: differences are reported and not reconciled. Absent: the host is reconciled. */
  readonly mode?: 'report'
  readonly facilities: readonly FacilityStatus[]
  /** Places where the controller or a supervisor can't write its records, as on a full disk. Absent: none. */
  readonly unwritable?: readonly UnwritableReport[]
  /** Reason why enabled services will not start after a boot, and what to do. Absent: no such reason is known. */
  readonly atBoot?: string
  /** Absent: the manifests come from a directory. */
  readonly source?: SourceStatus
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

export interface LastExit extends Omit<Exit, 'meaning'> {
  /** Description for people: `exited with code 3`. */
  readonly message: string
}

export interface ActivationStatus {
  /** Names of what is started, as the supervisor calls it. */
  readonly starts: readonly string[]
  /** Next start by a timer, ISO 8601; null if none is due. */
  readonly nextRun: string | null
  /** Last run; null if the supervisor knows of none. */
  readonly lastRun: {
    /** ISO 8601; null if the supervisor can't tell. */
    readonly began: string | null
    readonly ended: string | null
    readonly outcome: Run['outcome']
    /** End of the run, for people. */
    readonly message?: string
  } | null
  /** Failure of the last finished run. Absent: it succeeded, or there was none. */
  readonly failure?: { readonly message: string; readonly at: string | null }
  /** Connections of a socket that has a process for each of them. */
  readonly connections?: { readonly accepted: number; readonly open: number }
}

export interface FacilityStatus {
  readonly name: string
  readonly supervisor: string
  readonly service: string
  readonly state: ServiceState
  readonly enabled: boolean | null
  readonly pid: number | null
  /** Time of the last change of state, ISO 8601. */
  readonly since: string | null
  readonly health: HealthState
  /** Restarts by its supervisor since the last requested start. Absent: the supervisor doesn't count them. */
  readonly restarts?: number
  /** End of its last finished run. Absent: there was none, or the supervisor doesn't record it. */
  readonly lastExit?: LastExit
  /** Last lines of output of a service that doesn't stay up. Absent: it stays up, there are none, or too many services are down. */
  readonly lastOutput?: readonly string[]
  /** Activation by a timer, socket or path, whose state `state` is. Absent: the supervisor starts the service itself. */
  readonly activation?: ActivationStatus
  /** Place of its output: a path, or a command that shows it. Absent: unknown. */
  readonly output?: string
  /** Files of others that change how it runs. Absent: none are known. */
  readonly overrides?: readonly string[]
  readonly conditions: readonly Condition[]
  /** Due steps that nobody carries out, for people. Absent: none. */
  readonly pending?: string
  /** Other places where it still is, as during a move or after a failed one. Absent: none. */
  readonly elsewhere?: readonly OtherPlace[]
}

/** True for a facility that is only observed: suspended, or undeclared and kept. */
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
