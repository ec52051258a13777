import type { ManifestSet } from '../../manifest/manifest-set.ts'
import { loadManifests } from '../../manifest/manifest-source.ts'
import type { ReadingMemory } from '../../manifest/read/manifest-reader.ts'
import type { Session } from './session.ts'

/**
 * Reads manifests that are in another directory now as they are read once they are in force: files are named by that directory, and
 * relative paths start there.
 */
export function readExported(
  { manifests, directory }: Pick<Session, 'manifests' | 'directory'>,
  readFrom: string,
  { inForce = directory, memory }: { readonly inForce?: string; readonly memory?: ReadingMemory } = {},
): ManifestSet {
  return loadManifests({ ...manifests, directory: inForce, readFrom, memory })
}
