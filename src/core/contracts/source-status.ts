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

export interface SourceCondition {
  /** `UpToDate`, or why the wanted revision isn't in force: see `SourceReason`. */
  readonly reason: string
  readonly message: string
  /** ISO 8601. */
  readonly since: string
}
