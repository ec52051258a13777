import type { SourceReason } from './git-failure.ts'

/** What a source could not do, for people and, by its reason, for programs. */
export class SourceError extends Error {
  override readonly name = 'SourceError'
  readonly reason: SourceReason

  constructor(reason: SourceReason, message: string) {
    super(message)
    this.reason = reason
  }
}
