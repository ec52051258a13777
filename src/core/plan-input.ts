import type { Facility } from './facility.ts'
import type { Diagnostic } from './step.ts'
import type { Target } from './target.ts'
import type { Location, OwnedLocation, World } from './world.ts'

/** All that a plan is made from. The same input gives the same plan, byte for byte, in whatever order it comes. */
export interface PlanInput {
  readonly targets: readonly Target[]
  /** Declared, but not looked at in this pass: under way, or outside the scope of a quick look. */
  readonly untouched?: readonly Facility[]
  readonly world: World
  /** Whose marker counts as ours. */
  readonly owner: string
  /** What was last brought about, by facility. Only tells drift from change; nothing depends on it otherwise. */
  readonly applied: ReadonlyMap<string, Applied>
  /** Facilities whose health check fails. */
  readonly unhealthy?: ReadonlySet<string>
  /** False: the manifests are incomplete, so that the absence of a facility means nothing (E9). */
  readonly prune: boolean
  readonly diagnostics?: readonly Diagnostic[]
}

/** Kept in the state directory when a facility is found to be as declared. */
export interface Applied extends Location {
  /** `Facility.digest`. */
  readonly digest: string
}

/** The input, looked up as planning needs it. */
export interface PlanContext extends PlanInput {
  readonly owned: ReadonlyMap<string, OwnedLocation>
  /** Names of all declared facilities. */
  readonly declared: ReadonlySet<string>
  /** Locations that a declared facility claims, by key. */
  readonly claimed: ReadonlySet<string>
  /** Paths of configuration files that some facility declares. */
  readonly declaredFiles: ReadonlySet<string>
  /** Paths of configuration files that a marker of ours names. */
  readonly ownedFiles: ReadonlySet<string>
}
