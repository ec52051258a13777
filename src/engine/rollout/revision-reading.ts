import { relative } from 'node:path'
import type { Facility } from '../../core/model/facility.ts'
import { diagnosticLine } from '../../manifest/diagnostics/diagnostic-text.ts'
import type { ManifestSet, SupervisorManifest } from '../../manifest/manifest-set.ts'
import { readExported } from '../session/exported-manifests.ts'
import type { Session } from '../session/session.ts'

/** The first error of manifests, whose file is named as in the repository. Undefined: they are valid. */
export function findError(
  { diagnostics, complete }: Pick<ManifestSet, 'diagnostics' | 'complete'>,
  { directory }: Pick<Session, 'directory'>,
): string | undefined {
  if (complete) return undefined
  const errors = diagnostics
    .filter(({ severity }) => severity === 'error')
    .map(diagnostic => diagnosticLine({ ...diagnostic, file: relative(directory, diagnostic.file) }))
  const [first = 'the manifests can’t be read'] = errors
  return errors.length < 2 ? first : `${first}, and ${errors.length - 1} more`
}

/** What a revision declares, as far as roll-outs look at it. */
export interface DeclaredRevision {
  readonly facilities: readonly Pick<Facility, 'name' | 'digest' | 'supervisor' | 'renamedFrom' | 'rollout'>[]
  readonly supervisors: readonly SupervisorManifest[]
}

/** Reads what exported revisions declare, and remembers it of the last two: the next one is compared with one of these. */
export interface RevisionReader {
  read(commit: string): ManifestSet
  /** Undefined: the export is gone. */
  declared(commit: string): DeclaredRevision | undefined
}

export function createRevisionReader(session: Session, directoryOf: (commit: string) => string): RevisionReader {
  const known = new Map<string, DeclaredRevision>()

  function read(commit: string): ManifestSet {
    const set = readExported(session, directoryOf(commit))
    const facilities = set.facilities.map(({ name, digest, supervisor, renamedFrom, rollout }) => ({
      ...{ name, digest, supervisor },
      ...(renamedFrom !== undefined && { renamedFrom }),
      ...(rollout && { rollout }),
    }))
    known.delete(commit)
    known.set(commit, { facilities, supervisors: set.supervisors })
    for (const oldest of [...known.keys()].slice(0, -2)) known.delete(oldest)
    return set
  }

  return {
    read,
    declared(commit) {
      if (known.has(commit)) return known.get(commit)
      return session.readHost.facts(directoryOf(commit)) ? read(commit) : undefined
    },
  }
}
