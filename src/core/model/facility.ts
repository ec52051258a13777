import type { Process } from '#schemas/compiled/process.js'
import type { SourcePosition } from '../reeve-error.ts'
import type { FacilityRollout } from './rollout.ts'

export type { PortableField, Process } from '#schemas/compiled/process.js'

/**
 * What the manifests declare, in one normal form: defaults filled in, durations in milliseconds, modes as numbers,
 * `source` files read. The loader (src/manifest) makes these from `schemas/facility.schema.json`, by the shapes that are
 * made of it (`form.ts`).
 */

/** What happens to a running service when something that it reads has changed. */
export type OnChange = 'restart' | 'reload' | 'none'

export interface SecretReference {
  /** Absolute path, read when the service starts, or for each check of its health. The value is never in a plan or a definition. */
  readonly fromFile: string
}

/** A configuration file that belongs to the facility. */
export interface ManagedFile {
  /** Absolute, normalised. */
  readonly path: string
  readonly content: Uint8Array
  readonly owner?: string
  readonly group?: string
  readonly mode: number
  readonly onChange: OnChange
  /** Absent: what was there before Reeve is put back when it goes. */
  readonly onRemove?: 'delete'
}

export interface HttpCheck {
  readonly type: 'http'
  readonly url: string
  /** What counts as healthy. Absent: 200 to 399. */
  readonly statuses?: readonly StatusRange[]
  readonly headers?: Readonly<Record<string, string | SecretReference>>
  /** Absolute path of PEM certificates, read for each check. */
  readonly ca?: string
  readonly insecureSkipVerify?: true
}

/** Both included. */
export interface StatusRange {
  readonly from: number
  readonly to: number
}

export interface Health {
  readonly check:
    | HttpCheck
    | { readonly type: 'tcp'; readonly host: string; readonly port: number }
    | { readonly type: 'exec'; readonly command: readonly string[] }
  readonly interval: number
  readonly timeout: number
  readonly failureThreshold: number
  readonly startupTimeout: number
  readonly onFailure: 'restart' | 'report'
}

export interface Facility {
  readonly name: string
  /** Former name: the service and files under that name belong to this facility. */
  readonly renamedFrom?: string
  readonly labels: Readonly<Record<string, string>>
  /** The name of a supervisor instance. */
  readonly supervisor: string
  readonly service: string
  readonly state: 'running' | 'stopped' | 'unmanaged'
  readonly enabled: boolean | 'unmanaged'
  readonly process?: Process
  /** `spec.config` for the type of its supervisor only. */
  readonly config?: unknown
  readonly files: readonly ManagedFile[]
  readonly onChange: OnChange
  readonly dependsOn: readonly string[]
  readonly health?: Health
  /** Uptime in ms that a run needs before the facility counts as ready. */
  readonly readyAfter: number
  /** Absent: as the host's roll-out has it. */
  readonly rollout?: FacilityRollout
  readonly adopt: boolean
  readonly prune: boolean
  readonly suspend: boolean
  readonly position: SourcePosition
  /** Changes whenever anything above changes, but for the position: hexadecimal SHA-256. */
  readonly digest: string
}

/** A supervisor on this host: one that a manifest declares, or a provider's default instance (named as its type). */
export interface Instance {
  readonly name: string
  readonly type: string
  /** `spec.<type>` of the Supervisor manifest, else `{}`. Checked by the provider's own schema. */
  readonly options: Readonly<Record<string, unknown>>
  /** Reeve's state directory, absolute: an instance that has no place of its own lives under it. */
  readonly stateDirectory: string
  /** Owner; see `Ownership.owner`. */
  readonly owner: string
}

/** True if Reeve writes the definition; false: a service that exists already, of which only state and enablement are kept. */
export function hasDefinition(facility: Facility): boolean {
  return facility.process !== undefined || facility.config !== undefined
}

/**
 * True if a restart of it may be made of a stop and a start: were Reeve to die between the two, it is started all the same. One
 * whose state isn't managed would stay stopped.
 */
export function isStartedAgain(facility: Facility): boolean {
  return facility.state === 'running'
}
