import type { RevisionOutcome, RevisionReport } from '../../core/contracts/source-status.ts'
import type { Former } from '../../source/recovery.ts'
import type { Revision } from '../../source/source-state.ts'

/** A revision that was tried on this host, and what became of it. */
export interface RevisionRecord {
  readonly revision: Revision
  readonly outcome: RevisionOutcome
  /** Why. Absent: nothing is to be said. */
  readonly message?: string
  /** ISO 8601. `ended`: when the outcome was known; absent: it isn't yet. */
  readonly began: string
  readonly ended?: string
  /** Names of the facilities that it changes; once the outcome is known, only the first. */
  readonly changed: readonly string[]
  readonly changedCount: number
  /** Commit that the changes are counted from. Absent: everything is new. */
  readonly base?: string
  /** Commit that came into force again in its place. */
  readonly backTo?: string
  /** It failed, and nothing more of it is begun. */
  readonly isHeld?: true
  /** A newer one came while it was on its way back. */
  readonly isOvertaken?: true
  /** It may be tried again, though it failed. */
  readonly isForgiven?: true
  readonly steps: number
  readonly plan?: NonNullable<RevisionReport['plan']>
  /** How many controllers have begun to carry it out. */
  readonly starts: number
}

/** All that is remembered of revisions. Lost, the next one is the first. */
export interface RolloutState {
  /** The newest last. */
  readonly revisions: readonly RevisionRecord[]
  /** Commit that a person has chosen: no other comes into force by itself. */
  readonly pinned?: string
}

export const noRevisions: RolloutState = { revisions: [] }

/** How many records are kept, and how many names of changed facilities in those that have ended. */
const keptRecords = 50
const keptNames = 50

const underWay: ReadonlySet<RevisionOutcome> = new Set(['Pending', 'Progressing'])

export function isUnderWay({ outcome }: Pick<RevisionRecord, 'outcome'>): boolean {
  return underWay.has(outcome)
}

/** The newest record: all others have ended. */
export function currentOf({ revisions }: RolloutState): RevisionRecord | undefined {
  return revisions.at(-1)
}

/** The revision is on its way out: the one that it goes back to is not yet known to be healthy. */
export function isGoingBack({ outcome, backTo }: RevisionRecord): boolean {
  return outcome === 'Failed' && backTo !== undefined
}

export interface Begin {
  readonly revision: Revision
  readonly changed: readonly string[]
  readonly base?: string
  /** ISO 8601. */
  readonly at: string
}

/** The revision is about to come into force. What was under way is superseded. */
export function begin(state: RolloutState, { revision, changed, base, at }: Begin): RolloutState {
  const record: RevisionRecord = {
    revision,
    outcome: 'Pending',
    began: at,
    changed,
    changedCount: changed.length,
    ...(base !== undefined && { base }),
    steps: 0,
    starts: 0,
  }
  const former = supersede(state, revision.commit, at).revisions.filter(one => one.revision.commit !== revision.commit)
  return { ...state, revisions: trim([...former.map(shortenNames), record]) }
}

function supersede(state: RolloutState, by: string, at: string): RolloutState {
  const current = currentOf(state)
  if (!current) return state
  const { commit } = current.revision
  if (isUnderWay(current)) {
    return conclude(state, commit, 'Superseded', { at, message: `${by.slice(0, 12)} came first` })
  }
  if (!isGoingBack(current)) return state
  // The way back isn't finished: that it failed is all that is known.
  return update(state, commit, ({ backTo: _, ...record }) => ({ ...record, isOvertaken: true }))
}

export interface Conclusion extends Pick<RevisionRecord, 'message' | 'backTo' | 'isHeld'> {
  /** ISO 8601. */
  readonly at: string
}

/** The record with another outcome. */
export function conclude(
  state: RolloutState,
  commit: string,
  outcome: RevisionOutcome,
  { at, ...found }: Conclusion,
): RolloutState {
  return update(state, commit, ({ message: _, isHeld: __, ...record }) => ({
    ...record,
    // Of what has failed, they are still needed to judge what is in force.
    ...(outcome !== 'Failed' && shortenNames(record)),
    ...found,
    outcome,
    ended: at,
  }))
}

function shortenNames(record: RevisionRecord): RevisionRecord {
  return record.changed.length <= keptNames ? record : { ...record, changed: record.changed.slice(0, keptNames) }
}

export function update(
  state: RolloutState,
  commit: string,
  change: (record: RevisionRecord) => RevisionRecord,
): RolloutState {
  return {
    ...state,
    revisions: state.revisions.map(record => (record.revision.commit === commit ? change(record) : record)),
  }
}

/** The newest revision that was ever healthy here. */
export function findHealthy(state: RolloutState): RevisionRecord | undefined {
  return findWayBack(state, '')
}

/** The newest revision that was ever healthy here, besides the one named. Undefined: there is no way back. */
export function findWayBack({ revisions }: RolloutState, from: string): RevisionRecord | undefined {
  return revisions.findLast(({ outcome, revision }) => outcome === 'Healthy' && revision.commit !== from)
}

/** What the host had before the state was lost: what was in force is taken for healthy, and what was taken back for failed. */
export function recover(state: RolloutState, { inForce, takenBack }: Former, at: string): RolloutState {
  if (state.revisions.length > 0) return state
  const base = { began: at, ended: at, changed: [], changedCount: 0, steps: 0, starts: 0 }
  const healthy: RevisionRecord = { ...base, revision: inForce, outcome: 'Healthy' }
  if (!takenBack) return { ...state, revisions: [healthy] }
  const message = 'this host had taken it back before its state directory was lost'
  const bad: RevisionRecord = { ...base, revision: takenBack, outcome: 'RolledBack', message, backTo: inForce.commit }
  return { ...state, revisions: [healthy, bad] }
}

/**
 * Why a revision isn't to come into force by itself: a person has chosen another, or the same content has failed here. Undefined: it may.
 */
export function findRefusal(
  state: RolloutState,
  { commit, tree }: Pick<Revision, 'commit' | 'tree'>,
): string | undefined {
  if (state.pinned !== undefined && state.pinned !== commit) {
    return `revision ${state.pinned.slice(0, 12)} was chosen with reeve rollback; reeve sync goes on to the newest`
  }
  if (state.pinned === commit) return undefined
  // Once another one has become healthy, this content may be tried again.
  const since = state.revisions.findLastIndex(({ outcome }) => outcome === 'Healthy') + 1
  const bad = state.revisions.slice(since).findLast(record => record.revision.tree === tree && isBad(record))
  if (!bad) return undefined
  const again = bad.revision.commit === commit ? 'it' : `the same content, in ${bad.revision.commit.slice(0, 12)},`
  const why = bad.message === undefined ? '' : `: ${bad.message}`
  return `${again} failed on this host${why}; push a revision that mends it, or run reeve sync --retry`
}

function isBad({ outcome, backTo, isForgiven, isOvertaken }: RevisionRecord): boolean {
  if (isForgiven) return false
  return (
    outcome === 'RolledBack' ||
    outcome === 'RollbackFailed' ||
    (outcome === 'Failed' && (isOvertaken || backTo !== undefined))
  )
}

/** The newest revision may come into force again; `retries`: also what has failed. */
export function goOn({ pinned: _, revisions }: RolloutState, { retries }: { readonly retries: boolean }): RolloutState {
  if (!retries) return { revisions }
  return { revisions: revisions.map(record => (isBad(record) ? { ...record, isForgiven: true } : record)) }
}

/** Something is under way, also back. */
export function isBusy(state: RolloutState): boolean {
  const record = currentOf(state)
  return record !== undefined && (isUnderWay(record) || isGoingBack(record))
}

/** The same, or what has failed and is in force may still become healthy. */
export function isUnfinished(state: RolloutState, inForce: string | undefined): boolean {
  const record = currentOf(state)
  return isBusy(state) || (record?.outcome === 'Failed' && record.revision.commit === inForce)
}

/** Ids that are needed, of commits and of the tags that lead to them: of the way back, and of what a person has chosen. */
export function findNeeded(state: RolloutState): readonly string[] {
  const commits = new Set([currentOf(state)?.backTo, state.pinned, findHealthy(state)?.revision.commit])
  const revisions = state.revisions.map(({ revision }) => revision).filter(({ commit }) => commits.has(commit))
  return [...new Set(revisions.flatMap(({ commit, referenceId }) => [commit, referenceId]))]
}

/** What the changes of a new revision are counted from: the one in force, or what that was counted from, where it isn't healthy. */
export function findBase({ revisions }: RolloutState, inForce: string): string | undefined {
  const record = revisions.find(({ revision }) => revision.commit === inForce)
  return record === undefined || record.outcome === 'Healthy' ? inForce : record.base
}

/** The oldest go, but for the way back. */
function trim(records: readonly RevisionRecord[]): readonly RevisionRecord[] {
  const recent = records.slice(-keptRecords)
  if (recent.length === records.length || recent.some(({ outcome }) => outcome === 'Healthy')) return recent
  const healthy = records.findLast(({ outcome }) => outcome === 'Healthy')
  return healthy ? [healthy, ...recent.slice(1)] : recent
}
