import type { Control } from '../../core/contracts/control.ts'
import type { SourceStatus } from '../../core/contracts/source-status.ts'
import { ReeveError } from '../../core/reeve-error.ts'
import { abortable } from '../../host/abortable.ts'
import type { Session } from '../session/session.ts'

/** A Git repository that is being followed. */
export interface FollowedSource {
  status(): SourceStatus
  /** Asks the repository now, and resolves when that is over, however it went. */
  sync(): Promise<SourceStatus>
  /** Lets the commit that waits for a person's word, as its history was rewritten, come into force. Throws ReeveError `refused`. */
  accept(commit: string): Promise<SourceStatus>
}

/** The same control, which fetches before it applies. `follow`: the source for one question; undefined: there is none. */
export function withSource(
  control: Omit<Control, 'sync' | 'accept'>,
  session: Session,
  follow: <T>(ask: (source: FollowedSource) => Promise<T>, signal?: AbortSignal) => Promise<T> | undefined,
): Control {
  async function ask<T>(question: (source: FollowedSource) => Promise<T>): Promise<T> {
    const answer = follow(question)
    if (answer) return answer
    throw new ReeveError(
      'usage',
      `no Git repository is followed here: manifests come from ${session.directory}; name one with source.git in the host configuration`,
    )
  }
  return {
    ...control,
    async apply(wish, ways) {
      // A saved plan is of the revision that was in force when it was made.
      const fetched = wish.fetch !== false && !wish.saved ? follow(expectFetched, ways.signal) : undefined
      if (fetched) await abortable(fetched, ways.signal)
      return control.apply(wish, ways)
    },
    sync: () => ask(source => source.sync()),
    accept: commit => ask(source => source.accept(commit)),
  }
}

async function expectFetched(source: FollowedSource): Promise<void> {
  const { condition, revision } = await source.sync()
  if (condition.reason === 'UpToDate') return
  const rest = revision
    ? `${revision.commit.slice(0, 12)} stays in force; to apply that, run reeve apply --no-fetch`
    : 'no revision is in force yet'
  throw new ReeveError(
    'failed',
    `nothing was changed, as the wanted revision could not be had: ${condition.message}. ${rest}`,
  )
}
