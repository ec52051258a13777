import { ReeveError } from '../core/reeve-error.ts'
import type { ManifestOptions } from './manifest-options.ts'
import type { ManifestSet } from './manifest-set.ts'

/**
 * Reads a directory of manifests again and again. A file that is invalid now counts with its last good facilities
 * (E10), and a file is parsed once per content.
 */
export interface ManifestSource {
  /** Never throws for what stands in the directory: that is in `diagnostics`. */
  read(): ManifestSet
}

export function createManifestSource(_options: ManifestOptions): ManifestSource {
  throw new ReeveError('internal', 'the loader is not written yet')
}

/** One reading: only the facilities of valid files. */
export function loadManifests(options: ManifestOptions): ManifestSet {
  return createManifestSource(options).read()
}
