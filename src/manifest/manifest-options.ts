import type { Policy } from '../core/model/host-configuration.ts'
import type { PolicyPlaces } from '../core/policy/refusal.ts'
import type { BesideOutput } from '../core/state/output-places.ts'
import type { PlaceFinder } from '../core/state/place.ts'
import type { SupervisorManifest } from './manifest-set.ts'
import type { SourcePlaces } from './parse/config-source.ts'
import type { ParseCache } from './parse/parse-cache.ts'
import type { ManifestFiles } from './read/manifest-files.ts'

/** What a provider says of its native configuration, JSON Schemas, and of outputs; see `Capabilities`. */
export interface NativeSchemas extends SourcePlaces {
  /** Of `spec.config.<type>`. Absent: the type takes no native configuration. */
  readonly configSchema?: object | undefined
  /** Of `spec.<type>` of a Supervisor. Absent: the type takes no options. */
  readonly optionsSchema?: object | undefined
  readonly besideOutput?: BesideOutput | undefined
}

export interface ManifestOptions {
  /** As the user gave it: diagnostics name files by it, and its symlinks are resolved anew at every reading. */
  readonly directory: string
  /** Who says that it is this one, for the message that it doesn't exist. */
  readonly directoryOrigin?: string | undefined
  /** What to say where the directory doesn't exist. Absent: that, who named it, and what to do. */
  readonly missing?: string | undefined
  /** The known provider types. Each is also the name of its default instance. */
  readonly types: readonly string[]
  /** Of facilities that name none. Default `process`. */
  readonly defaultSupervisor?: string | undefined
  /** Asked only for types that are used. Undefined: the schemas can't be had, and nothing is checked by them. */
  readonly schemaOf?: ((type: string) => NativeSchemas | undefined) | undefined
  /** What its provider says it is (`Identity.place`), whatever its name. Undefined: nobody else can be it. */
  readonly placeOf?: ((supervisor: SupervisorManifest, finder: PlaceFinder) => string | undefined) | undefined
  /** For each look at all manifests: where paths lead. Default: where they say. */
  readonly createPlaceFinder?: (() => PlaceFinder) | undefined
  /** Where its provider keeps what Reeve writes for it (`Provider.directories`). Undefined: nobody knows. */
  readonly directoriesOf?: ((supervisor: SupervisorManifest) => readonly string[]) | undefined
  readonly policy?: Policy | undefined
  /** What the policy is about besides what it names. Default: the directory of the manifests. */
  readonly places?: PolicyPlaces | undefined
  /** Then nothing that others can write is trusted (S1), and a facility that names no user runs as root (S3). Default false. */
  readonly runsAsRoot?: boolean | undefined
  /** Trust what others can write (`--insecure-permissions`). Default false. */
  readonly insecurePermissions?: boolean | undefined
  /** Of earlier readings. Default: none. */
  readonly parseCache?: ParseCache | undefined
  /** Default: the local file system. */
  readonly files?: ManifestFiles | undefined
}
