import { relative, resolve } from 'node:path'
import { diagnosticLine } from '../../manifest/diagnostics/diagnostic-text.ts'
import type { ManifestSet } from '../../manifest/manifest-set.ts'
import { loadManifests } from '../../manifest/manifest-source.ts'
import { localFiles } from '../../manifest/read/manifest-files.ts'
import type { Session } from '../session/session.ts'

/**
 * The manifests of an exported revision, as they are read once it is in force: relative paths in them start at the symlink, not at its
 * target.
 */
export function readRevision(
  session: Pick<Session, 'manifests' | 'directory' | 'readHost'>,
  exported: string,
): ManifestSet {
  const { manifests, directory, readHost } = session
  const hasLink = readHost.facts(directory) !== undefined
  const files = {
    ...localFiles,
    realPath: (path: string): string => localFiles.realPath(resolve(path) === directory ? exported : path),
  }
  return loadManifests(hasLink ? { ...manifests, files } : { ...manifests, directory: exported })
}

/** The first error of manifests, whose file is named as in the repository. Undefined: they are valid. */
export function findError(
  { diagnostics, complete }: Pick<ManifestSet, 'diagnostics' | 'complete'>,
  { manifests: { directory } }: Pick<Session, 'manifests'>,
): string | undefined {
  if (complete) return undefined
  const errors = diagnostics
    .filter(({ severity }) => severity === 'error')
    .map(diagnostic => diagnosticLine({ ...diagnostic, file: relative(directory, diagnostic.file) }))
  const [first = 'the manifests can’t be read'] = errors
  return errors.length < 2 ? first : `${first}, and ${errors.length - 1} more`
}
