import type { Policy } from '../core/model/host-configuration.ts'
import type { PolicyPlaces } from '../core/policy/refusal.ts'
import type { BesideOutput } from '../core/state/output-places.ts'
import type { PlaceFinder } from '../core/state/place.ts'
import type { SupervisorManifest } from './manifest-set.ts'
import type { SourcePlaces } from './parse/config-source.ts'
import type { ParseCache } from './parse/parse-cache.ts'
import type { ManifestFiles } from './read/manifest-files.ts'
import type { ReadingMemory } from './read/manifest-reader.ts'

/** A provider's JSON Schemas, and what it says of outputs; see `Capabilities`. */
export interface NativeSchemas extends SourcePlaces {
  /** Of `spec.config.<type>`. Absent: the type takes no native configuration. */
  readonly configSchema?: object | undefined
  /** Of `spec.<type>` of a Supervisor. Absent: the type takes no options. */
  readonly optionsSchema?: object | undefined
  readonly besideOutput?: BesideOutput | undefined
}

export interface ManifestOptions {
  /** Directory as the user gave it: diagnostics name files by it, and each reading resolves its symlinks again. */
  readonly directory: string
  /** Where its content is now, if it isn't there yet. Absent: there. */
  readonly readFrom?: string | undefined
  /** What named the directory, for the message that it doesn't exist. */
  readonly directoryOrigin?: string | undefined
  /** Message for a directory that doesn't exist. Absent: made from `directoryOrigin`. */
  readonly missing?: string | undefined
  /** Known provider types. Each is also the name of its default instance. */
  readonly types: readonly string[]
  /** Supervisor of facilities that name none. Default `process`. */
  readonly defaultSupervisor?: string | undefined
  /** Schemas of a type; called only for types that are used. Undefined: nothing is checked against a schema. */
  readonly schemaOf?: ((type: string) => NativeSchemas | undefined) | undefined
  /** Place of a supervisor (`Identity.place`), whatever its name. Undefined: it is a supervisor of its own. */
  readonly placeOf?: ((supervisor: SupervisorManifest, finder: PlaceFinder) => string | undefined) | undefined
  /** Creates what resolves paths, once for each reading. Default: paths lead where they say. */
  readonly createPlaceFinder?: (() => PlaceFinder) | undefined
  /** Directories that Reeve writes for a supervisor (`Provider.directories`). Undefined: unknown. */
  readonly directoriesOf?: ((supervisor: SupervisorManifest) => readonly string[]) | undefined
  readonly policy?: Policy | undefined
  /** Places that the policy protects besides those it names. Default: the directory of the manifests. */
  readonly places?: PolicyPlaces | undefined
  /** True: nothing that others can write is trusted (S1), and a facility that names no user runs as root (S3). Default false. */
  readonly runsAsRoot?: boolean | undefined
  /** Trust what others can write (`--insecure-permissions`). Default false. */
  readonly insecurePermissions?: boolean | undefined
  /** Parse cache of earlier readings. Default: none. */
  readonly parseCache?: ParseCache | undefined
  /** What readings of this directory have in common. Default: each source has its own. */
  readonly memory?: ReadingMemory | undefined
  /** Default: the local file system. */
  readonly files?: ManifestFiles | undefined
}
