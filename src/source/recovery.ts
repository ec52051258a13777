import type { RevisionMark } from '../core/state/revision-mark.ts'
import type { SourceReason } from './git-failure.ts'
import type { GitRepository } from './git-repository.ts'
import { SourceError } from './source-error.ts'
import type { Revision } from './source-state.ts'
import type { Trust } from './trust-keeping.ts'

/** What a host had when its state was lost. */
export interface Former {
  readonly inForce: Revision
  /** The newest accepted one, if it was taken back before. */
  readonly takenBack?: Revision
}

export interface RecoveryOptions {
  readonly repository: Pick<GitRepository, 'fetch' | 'find'>
  readonly trust: Trust | undefined
  readonly reference: string
  /** Reads the commit and exports it. */
  readonly take: (commit: string) => Promise<Revision>
}

/** Reasons for which a former revision can't be had, now or later. */
const finalReasons: ReadonlySet<SourceReason> = new Set(['ReferenceNotFound', 'TreeRefused', 'Untrusted'])

/**
 * What was in force, by the newest mark. `newest`: the commit that comes next. If that is the marked one, its roll-out may have been under
 * way, and the healthy one before takes its place. Undefined: nothing is known to go back to.
 */
export function findFormer(
  { commit, inForce, healthy }: RevisionMark,
  newest: string,
): { readonly inForce: string; readonly takenBack?: string } | undefined {
  if (inForce !== undefined) return { inForce, takenBack: commit }
  const former = commit === newest ? healthy : commit
  return former === undefined ? undefined : { inForce: former }
}

/** The same, as the repository still has it and its keys still allow. Undefined: they don't. */
export async function readFormer(
  found: NonNullable<ReturnType<typeof findFormer>>,
  { repository, trust, reference, take }: RecoveryOptions,
  signal: AbortSignal,
): Promise<Former | undefined> {
  const { inForce: commit, takenBack } = found
  await repository.fetch(reference, commit, signal)
  if ((await repository.find(commit, signal)) === undefined) return undefined
  try {
    await trust?.expect({ commit, reference, referenceId: commit, after: commit }, signal)
    const inForce = await take(commit)
    const isKnown = takenBack !== undefined && (await repository.find(takenBack, signal)) !== undefined
    return { inForce, ...(isKnown && { takenBack: await take(takenBack) }) }
  } catch (error) {
    if (error instanceof SourceError && finalReasons.has(error.reason)) return undefined
    throw error
  }
}
