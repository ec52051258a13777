import type { Diagnostic } from '../core/model/diagnostic.ts'
import type { Facility, Instance } from '../core/model/facility.ts'

/** A `kind: Supervisor` document. */
export type SupervisorManifest = Pick<Instance, 'name' | 'type' | 'options'>

/** Result of one reading of the manifests directory. */
export interface ManifestSet {
  /** Facilities of all valid files, sorted by name; a `ManifestSource` adds the last good ones of files that are invalid now. */
  readonly facilities: readonly Facility[]
  readonly supervisors: readonly SupervisorManifest[]
  readonly diagnostics: readonly Diagnostic[]
  /**
   * True: the directory was readable, held still while it was read, and every file is valid. Only then may the absence
   * of a facility mean anything.
   */
  readonly complete: boolean
  /** Resolved path of the directory: with git-sync its base name is the commit. */
  readonly revision: string
}
