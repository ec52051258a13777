import type { Registry } from 'prom-client'
import type { SourceStatus } from '../core/contracts/source-status.ts'

type Prometheus = typeof import('prom-client')

/** The repository, its revisions, and what became of them. */
export interface SourceMetrics {
  /** Reads the source's state whenever the metrics are read: it changes between passes too. */
  follow(read: () => SourceStatus): void
  /** Counts a question to the repository by its outcome. */
  recordFetch(source: Pick<SourceStatus, 'condition'>): void
  /** Counts a revision, once its outcome is final. */
  recordRollout(rollout: EndedRollout): void
}

export interface EndedRollout {
  readonly outcome: 'Healthy' | 'Failed' | 'RolledBack' | 'RollbackFailed' | 'Superseded'
  /** When the commit was made, by its committer's clock, and when the outcome was known: ISO 8601. */
  readonly committedAt: string
  readonly endedAt: string
}

const outcomes = ['Healthy', 'Failed', 'RolledBack', 'RollbackFailed', 'Superseded'] as const

/** Seconds: from a hook on the same machine to a commit that waited for a weekend. */
const healthyBuckets = [0.3, 1, 3, 10, 30, 60, 120, 300, 600, 1_800, 3_600, 21_600, 86_400, 259_200]

export function createSourceMetrics({ Counter, Gauge, Histogram }: Prometheus, registers: Registry[]): SourceMetrics {
  const fetches = new Counter<'reason'>({
    name: 'reeve_source_fetches_total',
    help: 'Questions to the Git repository, by what came of them: UpToDate, or the reason why the wanted revision is not in force.',
    labelNames: ['reason'],
    registers,
  })
  let read: (() => SourceStatus) | undefined
  new Gauge<'url'>({
    name: 'reeve_source_last_fetch_timestamp_seconds',
    help: 'When the Git repository last answered. No sample: it has not yet, or none is followed.',
    labelNames: ['url'],
    registers,
    collect() {
      const { fetchedAt = null, url = '' } = read?.() ?? {}
      this.reset()
      if (fetchedAt !== null) this.set({ url }, Date.parse(fetchedAt) / 1000)
    },
  })
  new Gauge<'reason'>({
    name: 'reeve_source_condition',
    help: '1 for UpToDate, or the reason why the wanted revision is not in force.',
    labelNames: ['reason'],
    registers,
    collect() {
      const status = read?.()
      this.reset()
      if (status) this.set({ reason: status.condition.reason }, 1)
    },
  })
  const distrust = new Counter({
    name: 'reeve_source_verification_failures_total',
    help: 'How often a revision was refused as a commit is not trusted. One that is refused at each fetch counts once.',
    registers,
  })
  new Gauge<'commit' | 'outcome'>({
    name: 'reeve_revision_info',
    help: '1 for the commit that is in force, and for the newest one that was tried, each with its outcome.',
    labelNames: ['commit', 'outcome'],
    registers,
    collect() {
      const { revision, rollout } = read?.() ?? {}
      this.reset()
      if (revision && revision.commit !== rollout?.commit) this.set({ commit: revision.commit, outcome: '' }, 1)
      if (rollout) this.set({ commit: rollout.commit, outcome: rollout.outcome }, 1)
    },
  })
  const revisions = new Counter<'outcome'>({
    name: 'reeve_revisions_total',
    help: 'Revisions, by outcome.',
    labelNames: ['outcome'],
    registers,
  })
  const healthyAfter = new Histogram({
    name: 'reeve_revision_commit_to_healthy_seconds',
    help: "Time from a commit, by its committer's clock, until all that it changes was healthy.",
    buckets: healthyBuckets,
    registers,
  })
  const rollbacks = new Counter<'result'>({
    name: 'reeve_rollbacks_total',
    help: 'Rollbacks to an earlier revision, by result.',
    labelNames: ['result'],
    registers,
  })
  /** Begin of the refusal that was counted last. */
  let refusedSince: string | undefined
  // A rate needs the zero before the first event.
  for (const outcome of outcomes) revisions.inc({ outcome }, 0)
  for (const result of ['done', 'failed']) rollbacks.inc({ result }, 0)

  return {
    follow(now) {
      read = now
    },
    recordFetch({ condition: { reason, since } }) {
      fetches.inc({ reason })
      if (reason === 'Untrusted' && since !== refusedSince) {
        refusedSince = since
        distrust.inc()
      }
    },
    recordRollout({ outcome, committedAt, endedAt }) {
      revisions.inc({ outcome })
      if (outcome === 'RolledBack') rollbacks.inc({ result: 'done' })
      if (outcome === 'RollbackFailed') rollbacks.inc({ result: 'failed' })
      if (outcome !== 'Healthy') return
      // The committer's clock may be ahead.
      healthyAfter.observe(Math.max(0, Date.parse(endedAt) - Date.parse(committedAt)) / 1000)
    },
  }
}
