import { rulesFor } from '../../core/model/rollout.ts'
import { messageOf, ReeveError } from '../../core/reeve-error.ts'
import type { GitSource } from '../../source/git-source.ts'
import type { Session } from '../session/session.ts'
import type { DeclaredRevision } from './revision-reading.ts'
import { conclude, currentOf, findWayBack, isGoingBack, type RevisionRecord } from './revision-record.ts'
import type { RolloutStore } from './rollout-store.ts'
import { isOutside } from './standing.ts'

/** What happens to a revision that failed. */
export interface WayBack {
  /** Concludes that the revision failed, and goes back where there is a way and the host wants it. */
  fail(record: RevisionRecord, message: string): Promise<void>
  /** Puts the healthy revision into force, as far as that isn't done. */
  goBack(record: RevisionRecord): Promise<void>
  /** The healthy revision is healthy again. */
  arrived(record: RevisionRecord): void
  /** The way back failed too. It isn't tried again; newer revisions come into force as always. */
  freeze(record: RevisionRecord, message: string): void
}

export interface WayBackGround {
  readonly session: Pick<Session, 'clock' | 'configuration' | 'log'>
  readonly store: RolloutStore
  readonly source: () => Pick<GitSource, 'enforce' | 'revision'>
  /** Manifests of the revision. Undefined: its export is gone. */
  readonly read: (commit: string) => DeclaredRevision | undefined
  /** Another revision is about to be judged. */
  readonly restart: () => void
  /** Another revision is in force. */
  readonly changed: () => void
  readonly signal: AbortSignal
}

export function createWayBack(ground: WayBackGround): WayBack {
  const { session, store, signal } = ground
  const { clock, configuration, log } = session
  const { rollout: rules } = configuration

  function end(record: RevisionRecord, outcome: RevisionRecord['outcome'], found: Partial<RevisionRecord>): void {
    const at = new Date(clock.now()).toISOString()
    store.save(conclude(store.state(), record.revision.commit, outcome, { ...found, at }))
  }

  /** Why the failed revision stays. Undefined: it doesn't. */
  function findWhyItStays({
    revision: { commit },
    changed,
  }: RevisionRecord): { why: string; isHeld?: true } | undefined {
    if (store.state().pinned === commit) return { why: 'it stays, as it was chosen with reeve rollback' }
    if (rules.onFailure === 'continue') return { why: 'it goes on, as rollout.onFailure is continue' }
    if (rules.onFailure === 'hold') {
      return { why: 'it stays, and nothing more of it is begun, as rollout.onFailure is hold', isHeld: true }
    }
    const facilities = new Map(ground.read(commit)?.facilities.map(facility => [facility.name, facility]))
    const holding = changed.find(name => rulesFor(rules, facilities.get(name)?.rollout).onFailure === 'hold')
    if (holding !== undefined) {
      const why = `it stays, and nothing more of it is begun, as spec.rollout.onFailure of ${holding} is hold`
      return { why, isHeld: true }
    }
    return undefined
  }

  async function goBack(record: RevisionRecord): Promise<void> {
    const { backTo = '' } = record
    ground.restart()
    const target = store.state().revisions.find(({ revision }) => revision.commit === backTo)
    try {
      if (!target) throw new ReeveError('not-found', `nothing is known of ${shorten(backTo)} any more`)
      if (ground.source().revision()?.commit !== backTo) {
        await ground.source().enforce(target.revision, signal, () => isStill(record))
      }
      ground.changed()
    } catch (error) {
      if (signal.aborted || isOutside(messageOf(error))) throw error
      if (!isStill(record)) return
      freeze(record, `${shorten(backTo)} can't come into force again: ${messageOf(error)}`)
    }
  }

  /** No newer revision has taken its place. */
  function isStill({ revision }: RevisionRecord): boolean {
    const current = currentOf(store.state())
    return current?.revision.commit === revision.commit && isGoingBack(current)
  }

  function freeze(record: RevisionRecord, problem: string): void {
    const { backTo, message = 'it failed', revision } = record
    end(record, 'RollbackFailed', { message: `${message}; ${problem}`, ...(backTo !== undefined && { backTo }) })
    log.error({ commit: revision.commit }, `the rollback of ${shorten(revision.commit)} failed: ${problem}`)
  }

  return {
    async fail(record, message) {
      const { commit } = record.revision
      const failed = `revision ${shorten(commit)} failed: ${message}`
      const back = findWayBack(store.state(), commit)
      const none = { why: 'there is no healthy revision to go back to, so it is tried again' }
      const stays = findWhyItStays(record) ?? (back ? undefined : none)
      if (stays || !back) {
        const { why, ...held } = stays ?? none
        end(record, 'Failed', { ...held, message: `${message}; ${why}` })
        log.error({ commit }, `${failed}; ${why}`)
        return
      }
      const backTo = back.revision.commit
      end(record, 'Failed', { message, backTo })
      log.error({ commit }, `${failed}; going back to ${shorten(backTo)}`)
      await goBack(currentOf(store.state()) ?? record)
    },
    goBack,
    arrived(record) {
      const { backTo = '', message, revision } = record
      end(record, 'RolledBack', { backTo, ...(message !== undefined && { message }) })
      log.info(
        { commit: revision.commit },
        `${shorten(revision.commit)} was rolled back; ${shorten(backTo)} is healthy again`,
      )
    },
    freeze,
  }
}

/** A commit for people. */
export function shorten(commit: string): string {
  return commit.slice(0, 12)
}
