import type { ReferenceWish } from '../core/model/source-configuration.ts'
import type { RevisionMark } from '../core/state/revision-mark.ts'
import type { GitRepository } from './git-repository.ts'
import { describeWish } from './reference-choice.ts'
import { SourceError } from './source-error.ts'
import type { Revision } from './source-state.ts'

/** What the next revision has to descend from. */
export interface Predecessor {
  readonly commit: string
  /** The reference that led to it. Absent: unknown. */
  readonly reference?: string
  /** How many revisions the host had accepted with it. */
  readonly count: number
  /** What is known of it, in words. */
  readonly what: string
}

/** The newest accepted revision, or where the state was lost, the newest one that what Reeve owns was made from. */
export function findPredecessor(
  { head, count = 1 }: { readonly head?: Revision; readonly count?: number },
  mark: RevisionMark | undefined,
): Predecessor | undefined {
  if (head) return { commit: head.commit, reference: head.reference, count, what: 'the newest accepted revision' }
  return mark && { commit: mark.commit, count: mark.count, what: 'which services on this host were made from' }
}

export interface Succession {
  readonly before: Predecessor
  readonly commit: string
  readonly reference: string
}

/** A branch whose history was rewritten, and a tag that was moved, need a person's word. Throws SourceError `NotFastForward`. */
export async function expectSuccessor(
  { before, commit, reference }: Succession,
  { wish, repository }: { readonly wish: ReferenceWish; readonly repository: GitRepository },
  signal: AbortSignal,
): Promise<void> {
  if (before.commit === commit) return
  const isTag = reference.startsWith('refs/tags/')
  const isMoved = isTag && before.reference === reference
  // One tag takes the place of another, wherever it leads.
  if (isTag && before.reference !== undefined && !isMoved) return
  if (!isMoved && (await repository.isAncestor(before.commit, commit, signal))) return
  const [old, next] = [before.commit.slice(0, 12), commit.slice(0, 12)]
  const name = isTag ? describeWish(wish) : reference.replace(/^refs\/heads\//, 'branch ')
  const problem = isMoved
    ? `${name} was moved from ${old} to ${next}`
    : `${name} leads to ${next}, which does not descend from ${old}, ${before.what}`
  throw new SourceError('NotFastForward', `${problem}; if that is meant, run reeve accept ${next}`)
}
