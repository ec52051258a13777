import { type Condition, findCondition } from '../reconcile/conditions.ts'
import type { Exit, Run, ServiceState } from '../state/observed.ts'
import type { HealthState } from '../state/readiness.ts'
import type { UnwritableReport } from '../state/unwritable.ts'
import type { SourceStatus } from './source-status.ts'

export type { Condition, HealthState }

/** `reeve status -o json` and `GET /status` of the control socket: `schemas/status.schema.json`. */
export interface Status {
  /** The host is in report mode: nothing is done about what differs. Absent: it is reconciled. */
  readonly mode?: 'report'
  readonly facilities: readonly FacilityStatus[]
  /** Where the controller, or a supervisor, can't write down what it does, as on a full disk. Absent: nowhere. */
  readonly unwritable?: readonly UnwritableReport[]
  /** What keeps what is enabled from being started after a boot, and what to do. Absent: nothing that is known. */
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
  /** In words: `exited with code 3`. */
  readonly message: string
}

export interface ActivationStatus {
  /** What is started, as the supervisor calls it. */
  readonly starts: readonly string[]
  /** ISO 8601: when a timer starts it next; null where nothing is due. */
  readonly nextRun: string | null
  /** Null: it has never been started, as far as the supervisor knows. */
  readonly lastRun: {
    /** ISO 8601, or null where the supervisor can't tell. */
    readonly began: string | null
    readonly ended: string | null
    readonly outcome: Run['outcome']
    /** How it ended, in words. */
    readonly message?: string
  } | null
  /** Why the last run that is over failed. Absent: it didn't. */
  readonly failure?: { readonly message: string; readonly at: string | null }
  /** Of a socket that has a process for each connection. */
  readonly connections?: { readonly accepted: number; readonly open: number }
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
  /** The last lines that it has written, of one that doesn't stay up. Absent: it does, they can't be had, or too many are down. */
  readonly lastOutput?: readonly string[]
  /** Of what runs only when a timer, socket or path starts it; then `state` is theirs. Absent: its supervisor starts it. */
  readonly activation?: ActivationStatus
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
