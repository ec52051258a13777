/** Where manifests come from, and which revision of them is in force: part of the status. */
export interface SourceStatus {
  /** Without credentials. */
  readonly url: string
  /** Which revision is wanted, in words: `branch main`. */
  readonly wanted: string
  /** Absent: none has been fetched yet. */
  readonly revision?: RevisionFacts
  /** When the repository last answered: ISO 8601; null: never. */
  readonly fetchedAt: string | null
  readonly condition: SourceCondition
  /** What became of the newest revision that was tried here. Absent: none was, or no controller judges it. */
  readonly rollout?: RolloutStatus
  /** The newest revision of the repository, where it isn't the one in force. Absent: it is. */
  readonly waiting?: WaitingRevision
  /** What is no failure, and a person should know of: the newest commit is older than it may be. Absent: nothing. */
  readonly warning?: string
}

export interface RevisionFacts {
  readonly commit: string
  /** `refs/heads/main`, `refs/tags/v1.2.3`. */
  readonly reference: string
  readonly subject: string
  /** NAME <ADDRESS>. */
  readonly author: string
  /** By the committer's clock: ISO 8601. */
  readonly committedAt: string
  /** When it came into force on this host: ISO 8601. */
  readonly since: string
  /** Who signed it, as the host's own keys say. Absent: nobody was asked for. */
  readonly signer?: string
}

export interface WaitingRevision {
  readonly commit: string
  readonly subject: string
  /** Why it isn't in force. */
  readonly message: string
}

/** The revision that waits, unless its outcome or the condition says why. */
export function findUntold({ condition, rollout, waiting }: SourceStatus): WaitingRevision | undefined {
  return waiting?.commit === rollout?.commit || waiting?.message === condition.message ? undefined : waiting
}

export interface SourceCondition {
  /** `UpToDate`, or why the wanted revision isn't in force: see `SourceReason`. */
  readonly reason: string
  readonly message: string
  /** ISO 8601. */
  readonly since: string
}

/**
 * A revision has one outcome. Pending: it is about to come into force. Progressing: its facilities change. Healthy: all that it changes
 * has been ready for long enough. Failed: it has not become so, and stays where there is no way back. RolledBack: it failed, and a healthy
 * one is in force again. RollbackFailed: that did not become healthy either. Superseded: a newer one came first.
 */
export type RevisionOutcome =
  | 'Pending'
  | 'Progressing'
  | 'Healthy'
  | 'Failed'
  | 'RolledBack'
  | 'RollbackFailed'
  | 'Superseded'

export interface RolloutStatus {
  readonly commit: string
  readonly subject: string
  readonly outcome: RevisionOutcome
  /** Why. Absent: nothing is to be said. */
  readonly message?: string
  /** Since when this is the outcome: ISO 8601. */
  readonly since: string
  /** True: a cause outside of the revision keeps it from going on: a full disk, what the host lacks, a supervisor that doesn't answer. */
  readonly isStalled?: true
  /** True: a person has chosen the revision in force, and newer ones wait. */
  readonly isPinned?: true
}

/** What became of a revision on this host: `reeve revisions`. */
export interface RevisionReport extends RevisionFacts {
  readonly outcome: RevisionOutcome
  /** Why. Absent: nothing is to be said. */
  readonly message?: string
  /** When it began to come into force, and when its outcome was known: ISO 8601; null: it isn't yet. */
  readonly began: string
  readonly ended: string | null
  /** Facilities that it changes; of a former one, the first of them. */
  readonly changed: readonly string[]
  readonly changedCount: number
  /** How many steps were done for it. */
  readonly steps: number
  /** What was planned for it. Absent: it never got that far. */
  readonly plan?: Readonly<Record<'add' | 'change' | 'repair' | 'remove', number>>
  readonly isInForce: boolean
}
