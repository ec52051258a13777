import { resolve } from 'node:path'
import type { ManifestSet } from '../../manifest/manifest-set.ts'
import { loadManifests } from '../../manifest/manifest-source.ts'
import { localFiles } from '../../manifest/read/manifest-files.ts'
import type { Session } from './session.ts'

/** Manifests of an exported revision, and the directory by which their files are named. */
export interface ExportedManifests {
  readonly set: ManifestSet
  readonly directory: string
}

/**
 * Reads an exported revision of the host's own repository as it is read once it is in force: relative paths in it start at the symlink, not
 * at its target. Before there is a symlink, they start at the export.
 */
export function readExported(
  { manifests, directory, readHost }: Pick<Session, 'manifests' | 'directory' | 'readHost'>,
  exported: string,
): ExportedManifests {
  if (!readHost.facts(directory))
    return { set: loadManifests({ ...manifests, directory: exported }), directory: exported }
  const files = {
    ...localFiles,
    realPath: (path: string): string => localFiles.realPath(resolve(path) === directory ? exported : path),
  }
  return { set: loadManifests({ ...manifests, files }), directory: manifests.directory }
}
