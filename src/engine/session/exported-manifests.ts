import type { ManifestSet } from '../../manifest/manifest-set.ts'
import { loadManifests } from '../../manifest/manifest-source.ts'
import type { Session } from './session.ts'

/**
 * Reads manifests that are in another directory now as they are read once they are in force: files are named by that directory, and
 * relative paths start there.
 */
export function readExported(
  { manifests }: Pick<Session, 'manifests'>,
  readFrom: string,
  inForce: string = manifests.directory,
): ManifestSet {
  return loadManifests({ ...manifests, directory: inForce, readFrom })
}
