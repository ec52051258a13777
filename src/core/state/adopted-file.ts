import type { ResolvedFacility, ResolvedFile } from '../model/resolved-facility.ts'
import type { ObservedFile } from './observed.ts'

/**
 * A file that was there before Reeve, and that a facility adopts, as it was found. When the facility goes it is put back so, as
 * others may use it; unless `onRemove: delete`.
 */
export interface FoundFile {
  /** Hexadecimal SHA-256 of its content. */
  readonly digest: string
  readonly mode: number
  readonly uid: number
  readonly gid: number
  /** False: it is too large for a copy. */
  readonly isKept: boolean
  /** Content of the copy until it is on disk. */
  readonly content?: Uint8Array
}

/** Largest file in bytes of which a copy is kept. */
const copyLimit = 1024 * 1024

export const tooLargeToKeep = 'it is larger than 1 MiB, so that it cannot be put back when it is no longer declared'

/** File as an adoption found it; undefined if there was none, or none is to be restored. */
export function findAdopted(
  file: ResolvedFile,
  { facility }: ResolvedFacility,
  observed: ObservedFile | undefined,
): FoundFile | undefined {
  if (!facility.adopt || file.onRemove === 'delete' || observed?.kind !== 'file') return undefined
  const { digest, mode, uid, gid, content } = observed
  if (digest === undefined || mode === undefined || uid === undefined || gid === undefined || !content) return undefined
  const isKept = content.length <= copyLimit
  return { digest, mode, uid, gid, isKept, ...(isKept && { content }) }
}

/** Whether the file is as it was found. */
export function isAsFound(found: FoundFile, observed: ObservedFile): boolean {
  return (
    observed.digest === found.digest &&
    observed.mode === found.mode &&
    observed.uid === found.uid &&
    observed.gid === found.gid
  )
}
