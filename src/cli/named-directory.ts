import { existsSync } from 'node:fs'
import { ReeveError } from '../core/reeve-error.ts'
import type { Session } from '../engine/session/session.ts'
import { missingDirectory } from '../manifest/read/manifest-snapshot.ts'

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

/** Throws ReeveError `not-found` if the manifests directory doesn't exist. */
export function expectDirectory({
  directory,
  followsSource,
  manifests,
}: Pick<Session, 'directory' | 'followsSource' | 'manifests'>): void {
  // A controller fetches what a Git repository has.
  if (followsSource || existsSync(directory)) return
  throw new ReeveError('not-found', missingDirectory(directory, manifests.directoryOrigin))
}
