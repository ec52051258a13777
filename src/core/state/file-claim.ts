import { type FoundFile, isAsFound } from './adopted-file.ts'
import type { ObservedFile } from './observed.ts'

/**
 * What Reeve is known to have written to a configuration file (E19).
 *
 * The marker on a definition names the facility's files, and stands there before the first of them is written: so a crash never
 * leaves a file of ours that nobody claims. It therefore doesn't say that the file was written: the disk may have been full,
 * and what is there somebody else's. That is what claims tell. They are kept in the state directory, which only root can
 * read: a digest of a short secret gives it away, and definitions can be read by everybody.
 *
 * A content is noted before it is written, so that it is known whatever crashes. Where a marker names a file and no claim is
 * known (the state directory was lost, or an older version wrote the marker), the marker counts as fulfilled (E18): the file
 * is repaired. But it is removed only if what is there is what the service has loaded, or what is declared.
 */
export interface FileClaim {
  /** False: Reeve has not managed to write the file yet. */
  readonly isFulfilled: boolean
  /** Hexadecimal SHA-256 of what it wrote last, and of what it has been about to write since. */
  readonly contents: readonly string[]
  /** File as it was found at adoption; `lost`: unknown by now. Absent: there was none, or none is to be restored. */
  readonly found?: FoundFile | 'lost'
  /** True: what was found isn't put back, as the manifest says. */
  readonly deletes?: true
}

/** By path. */
export type FileClaims = ReadonlyMap<string, FileClaim>

/** Most contents kept of writes that failed in a row. */
const mostContents = 8

/** Whether a file that a marker names may be overwritten though the manifest doesn't adopt it: Reeve wrote it before. */
export function isWritten(claim: FileClaim | undefined, found: ObservedFile): boolean {
  return found.kind === 'absent' || claim === undefined || claim.isFulfilled || isKnown(claim, found)
}

/** Why a file that a marker names isn't removed with its service; undefined if it may be. For people. */
export function findKeepReason(claim: FileClaim | undefined, found: ObservedFile | undefined): string | undefined {
  if (!found || found.kind === 'absent') return undefined
  if (found.kind === 'other') return found.problem ?? 'it is no file'
  if (!claim) return 'Reeve has no record of what it wrote there'
  if (isKnown(claim, found)) return found.keep
  return claim.isFulfilled ? 'somebody has changed it since Reeve wrote it' : 'Reeve did not write it'
}

export type FileRemoval =
  | { readonly kind: 'remove' }
  /** It is put back as it was found. */
  | { readonly kind: 'restore' }
  | { readonly kind: 'keep'; readonly why: string }

/** Removal of a file that no manifest declares any more: deleted, restored or kept. */
export function decideRemoval(claim: FileClaim | undefined, observed: ObservedFile | undefined): FileRemoval {
  const found = claim?.deletes ? undefined : claim?.found
  const isThere = observed !== undefined && observed.kind !== 'absent'
  if (isThere && claim?.isFulfilled && typeof found === 'object' && isAsFound(found, observed)) {
    return { kind: 'keep', why: 'it was there before Reeve, and is as it was found' }
  }
  const why = findKeepReason(claim, observed)
  if (why !== undefined) return { kind: 'keep', why }
  if (!isThere || found === undefined) return { kind: 'remove' }
  if (found === 'lost') {
    return { kind: 'keep', why: 'it was adopted, and Reeve has lost its record of what was there before' }
  }
  return found.isKept
    ? { kind: 'restore' }
    : { kind: 'keep', why: 'it was there before Reeve, and too large for a copy to be kept' }
}

/** The claim before the file is written with that content. `isOurs`: a marker named the file before this plan. */
export function announceContent(claim: FileClaim | undefined, digest: string, isOurs: boolean): FileClaim {
  if (claim?.contents.includes(digest)) return claim
  const contents = [...(claim?.contents ?? []), digest].slice(-mostContents)
  return { ...claim, isFulfilled: claim?.isFulfilled ?? isOurs, contents }
}

/** The claim once the file holds that content, by Reeve's hand or as declared. */
export function fulfilClaim(claim: FileClaim | undefined, digest: string): FileClaim {
  const isAsBefore = claim?.isFulfilled === true && claim.contents.length === 1 && claim.contents[0] === digest
  return isAsBefore ? claim : { ...claim, isFulfilled: true, contents: [digest] }
}

export function isKnown(claim: FileClaim, { digest }: ObservedFile): boolean {
  return digest !== undefined && claim.contents.includes(digest)
}
