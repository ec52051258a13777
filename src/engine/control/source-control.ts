import type { ApplyOutcome } from '../../core/contracts/apply-outcome.ts'
import type { Control, HostControl, PassWays, PassWish } from '../../core/contracts/control.ts'
import type { SourceStatus } from '../../core/contracts/source-status.ts'
import { ReeveError } from '../../core/reeve-error.ts'
import { abortable } from '../../host/abortable.ts'
import type { Rollout } from '../rollout/rollout.ts'
import type { Session } from '../session/session.ts'

/** A Git repository that is being followed. */
export interface FollowedSource {
  readonly rollout: Pick<Rollout, 'status' | 'pin' | 'goOn'>
  /** Asks the repository now, and resolves when that is over, however it went. */
  sync(): Promise<SourceStatus>
  /** Lets the commit that waits for a person's word, as its history was rewritten, come into force. Throws ReeveError `refused`. */
  accept(commit: string): Promise<SourceStatus>
  /** Applies the revision in force, and resolves once it is known what became of it. */
  apply(wish: PassWish, ways: PassWays): Promise<ApplyOutcome>
  /** The same, where nobody has applied it here. */
  whenSettled(): Promise<void>
}

/** Has something asked of the source; undefined: none is followed. */
export type Follow = <T>(
  ask: (source: FollowedSource) => Promise<T>,
  purpose: string,
  signal: AbortSignal,
) => Promise<T> | undefined

/** The same control, which fetches before it applies, and waits for what becomes of the revision. */
export function withSource(control: HostControl, session: Session, follow: Follow): Control {
  const never = new AbortController().signal

  async function ask<T>(purpose: string, question: (source: FollowedSource) => Promise<T>): Promise<T> {
    const answer = follow(question, purpose, never)
    if (answer) return answer
    throw new ReeveError(
      'usage',
      `no Git repository is followed here: manifests come from ${session.directory}; name one with source.git in the host configuration`,
    )
  }

  return {
    ...control,
    async apply(wish, ways) {
      const applied = follow(
        async source => {
          // A saved plan is of the revision that was in force when it was made.
          if (wish.fetch !== false && !wish.saved) await abortable(expectFetched(source), ways.signal)
          return source.apply(wish, ways)
        },
        'reeve apply',
        ways.signal,
      )
      return applied ?? control.apply(wish, ways)
    },
    sync: ({ retries = false, waits = false } = {}) =>
      ask('reeve sync', async source => {
        source.rollout.goOn({ retries })
        const status = await source.sync()
        if (!waits) return status
        await source.whenSettled()
        return source.rollout.status()
      }),
    accept: commit => ask('reeve accept', source => source.accept(commit)),
    rollback: revision => ask('reeve rollback', ({ rollout }) => rollout.pin(revision)),
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
