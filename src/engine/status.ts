import type { ServiceState } from '../core/observed.ts'

/** `reeve status -o json` and `GET /status` of the control socket: `schemas/status.schema.json`. */
export interface Status {
  readonly facilities: readonly FacilityStatus[]
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
  readonly conditions: readonly Condition[]
}

/** `none`: no health check is declared. `unknown`: nobody has looked. */
export type HealthState = 'healthy' | 'unhealthy' | 'starting' | 'none' | 'unknown'

/** As Kubernetes and Flux have them. Ready: as declared. Reconciling: work is under way. Stalled: it can't go on by itself. */
export interface Condition {
  readonly type: 'Ready' | 'Reconciling' | 'Stalled'
  readonly status: 'True' | 'False' | 'Unknown'
  /** CamelCase, for programs. */
  readonly reason: string
  readonly message: string
  /** ISO 8601. */
  readonly since: string
}
