import { ReeveError } from '../core/reeve-error.ts'

/** The manifests directory as a command line names it. */
export interface NamedDirectory {
  readonly path: string
  /** For messages: `given as DIR`. */
  readonly origin: string
}

/** DIR and `--manifests DIR` are one and the same. Throws ReeveError `usage` if they disagree. */
export function namedDirectory(argument: string | undefined, option: string | undefined): NamedDirectory | undefined {
  if (argument !== undefined && option !== undefined && argument !== option) {
    throw new ReeveError(
      'usage',
      `two manifests directories are named, ${argument} and --manifests ${option}: give one`,
    )
  }
  if (argument !== undefined) return { path: argument, origin: 'given as DIR' }
  return option === undefined ? undefined : { path: option, origin: 'given by --manifests' }
}
