import { basename } from 'node:path'
import type { ApplyOutcome } from '../../core/contracts/apply-outcome.ts'
import {
  findUntold,
  type RevisionOutcome,
  type RevisionReport,
  type RolloutStatus,
  type SourceStatus,
} from '../../core/contracts/source-status.ts'
import { factsOf } from '../../source/source-report.ts'
import type { Session } from '../session/session.ts'
import type { Judgement } from './judgement.ts'
import { currentOf, isGoingBack, isUnderWay, type RevisionRecord, type RolloutState } from './revision-record.ts'
import { readRolloutState } from './rollout-state.ts'

/** What became of the newest revision. `last`: how it was judged last, while it is under way. */
export function reportRollout(
  state: RolloutState,
  last: Pick<Judgement, 'verdict' | 'message'> | undefined,
): { readonly rollout?: RolloutStatus } {
  const record = currentOf(state)
  if (!record) return {}
  const { revision, outcome, began, ended = began } = record
  const isOpen = isUnderWay(record)
  const message = isOpen ? last?.message : record.message
  return {
    rollout: {
      commit: revision.commit,
      subject: revision.subject,
      outcome,
      ...(message !== undefined && { message: isGoingBack(record) ? `${message}; going back` : message }),
      since: isOpen ? began : ended,
      ...(isOpen && last?.verdict === 'stalled' && { isStalled: true }),
      ...(state.pinned !== undefined && { isPinned: true }),
    },
  }
}

/** What `reeve apply` has to tell of the source: the outcome, and a newer revision that waits although nobody has chosen this one. */
export function reportOutcome(status: SourceStatus): Pick<ApplyOutcome, 'revision' | 'waiting'> {
  const { rollout: revision } = status
  const waiting = revision?.isPinned ? undefined : findUntold(status)
  return { ...(revision && { revision }), ...(waiting && { waiting }) }
}

/** The end of a revision, for metrics. Undefined: it has none yet. */
export function reportEnd(
  record: RevisionRecord,
): { outcome: EndedOutcome; committedAt: string; endedAt: string } | undefined {
  const { outcome, ended, revision } = record
  if (outcome === 'Pending' || outcome === 'Progressing' || isGoingBack(record) || ended === undefined) return undefined
  return { outcome, committedAt: revision.committedAt, endedAt: ended }
}

type EndedOutcome = Exclude<RevisionOutcome, 'Pending' | 'Progressing'>

/** What became of the revisions that were tried on this host, as it is written down. */
export function readRevisions({ configuration, directory, readHost }: Session): readonly RevisionReport[] {
  const inForce = readHost.readLink(directory)
  const state = readRolloutState(configuration.stateDirectory, readHost)
  return reportRevisions(state, inForce === undefined ? undefined : basename(inForce))
}

/** The newest first. */
export function reportRevisions({ revisions }: RolloutState, inForce: string | undefined): readonly RevisionReport[] {
  return revisions.toReversed().map(record => {
    const { revision, outcome, message, began, ended, changed, changedCount, steps, plan } = record
    return {
      ...factsOf(revision),
      outcome,
      ...(message !== undefined && { message }),
      began,
      ended: ended ?? null,
      changed,
      changedCount,
      steps,
      ...(plan && { plan }),
      isInForce: revision.commit === inForce,
    }
  })
}
