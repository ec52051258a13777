import type { RolloutConfiguration } from './rollout.ts'
import type { SourceConfiguration } from './source-configuration.ts'

/** The host owner's settings: `reeve.yaml`, `schemas/host-configuration.schema.json`, with defaults filled in. */
export interface HostConfiguration {
  /** Absolute, symlinks kept. Absent: the command's DIR, else `manifests` in the working directory. */
  readonly manifests?: string
  /** Where the manifests come from, where that isn't a directory. Absent: `manifests` says. */
  readonly source?: SourceConfiguration
  /** `report`: nothing on the host is changed but Reeve's own state. Default `reconcile`. */
  readonly mode: 'reconcile' | 'report'
  /** How its revisions come into force. */
  readonly rollout: RolloutConfiguration
  /** Absolute. */
  readonly stateDirectory: string
  /** Absolute; where the control socket lives. Default: the state directory. */
  readonly runtimeDirectory: string
  /** Milliseconds between full passes when nothing happens; less while something is not as declared. Default 5 min. */
  readonly resync: number
  /** Steps under way at once. Default 64. */
  readonly concurrency: number
  /** The supervisor of facilities that name none. Default `process`. */
  readonly defaultSupervisor: string
  /** Removals in one pass need confirmation above both `count` and `fraction` of the owned services. */
  readonly removalLimit: { readonly count: number; readonly fraction: number }
  readonly policy: Policy
  /** Module paths (absolute) or package names of outside providers. */
  readonly providers: readonly string[]
  /** `host:port` of /healthz, /readyz and /metrics. Absent: nothing listens. */
  readonly listen?: { readonly host: string; readonly port: number }
  /** Written into the marker of what this Reeve owns; two Reeves on one host need two. Default `default`. */
  readonly owner: string
}

/**
 * What the repository may ask for. An absent list allows everything, unless it says otherwise; an empty one, nothing. What the
 * repository can define satisfies none of them: services are bounded by name, paths by where they lead, supervisors by type
 * and place.
 */
export interface Policy {
  /** Types of the supervisors that facilities may use. */
  readonly supervisors?: readonly string[]
  /**
   * Patterns of the services that facilities may have to do with though Reeve doesn't write all of their definition. Absent
   * while any other list is given: none.
   */
  readonly services?: readonly string[]
  readonly users?: readonly string[]
  /** Groups that facilities may name. Absent while `users` is given: those of the same names only. */
  readonly groups?: readonly string[]
  /** Path prefixes that `fromFile`, `environmentFiles` and the `ca` of a health check have to lead below. */
  readonly reads?: readonly string[]
  /** Path prefixes that `command[0]` has to lead below. */
  readonly commands?: readonly string[]
  /** Patterns of variables that are allowed though they decide what code is run. Absent while `commands` is given: none. */
  readonly environment?: readonly string[]
  /** Path prefixes that `files[].path` and `output.file` have to lead below. */
  readonly files?: readonly string[]
  /** Path prefixes of the directories that Supervisor manifests name. Absent while any other list is given: none. */
  readonly supervisorDirectories?: readonly string[]
  /** Types whose native configuration (`spec.config`) is allowed. Absent while `users` or `commands` is given: none. */
  readonly config?: readonly string[]
}
