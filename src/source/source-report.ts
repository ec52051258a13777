import type { RevisionFacts } from '../core/contracts/source-status.ts'
import { messageOf, ReeveError } from '../core/reeve-error.ts'
import type { SourceReason } from './git-failure.ts'
import { SourceError } from './source-error.ts'
import type { Revision } from './source-state.ts'

/** That an old head is served for ever is seen by its age alone: whoever does so, signs nothing. */
export function findWarning(
  revision: Revision | undefined,
  maxAge: number | undefined,
  now: number,
): { readonly warning?: string } {
  if (!revision || maxAge === undefined) return {}
  const days = (now - Date.parse(revision.committedAt)) / 86_400_000
  if (days * 86_400_000 <= maxAge) return {}
  const age = `the newest commit is ${Math.floor(days)} days old, more than verify.maxAge allows`
  return { warning: `${age}: if there are newer ones, somebody keeps them from this host` }
}

/** Without what only the source needs. */
export function factsOf({ tree: _, referenceId: __, ...facts }: Revision): RevisionFacts {
  return facts
}

export function causeOf(error: unknown): [SourceReason, string] {
  if (error instanceof SourceError) return [error.reason, error.message]
  const message = messageOf(error)
  if (/ENOSPC|EDQUOT|EROFS|no space left|is full/i.test(message)) return ['DiskFull', message]
  return ['FetchFailed', error instanceof ReeveError ? message : `Reeve failed: ${message}`]
}

export function inForce({ commit, subject }: RevisionFacts): string {
  return `${commit.slice(0, 12)} is in force: ${subject}`
}
