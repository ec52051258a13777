import type { EngineListener } from '../core/contracts/engine-event.ts'
import type { SourceStatus } from '../core/contracts/source-status.ts'
import type { FacilityStatus } from '../core/contracts/status.ts'
import type { Verb } from '../core/plan/verb.ts'
import type { UnwritableReport } from '../core/state/unwritable.ts'

/** What the controller counts, for Prometheus. */
export interface Metrics {
  /** Counts steps as they finish. */
  readonly listener: EngineListener
  /** `duration` in milliseconds, `at` in milliseconds since 1970. */
  recordPass(result: 'done' | 'failed' | 'aborted', duration: number, at: number): void
  /** Counts facilities whose drift was corrected. */
  recordDriftCorrected(count: number): void
  /** Replaces the facilities' numbers. */
  setFacilities(facilities: readonly FacilityStatus[]): void
  setManifestErrors(count: number): void
  /** Counts a question to the repository by its outcome, and replaces the source's state. */
  recordFetch(source: SourceStatus): void
  /** Replaces the current value. */
  setUnwritable(places: readonly UnwritableReport[]): void
  /** In the text format of Prometheus. */
  text(): Promise<string>
  readonly contentType: string
}

/** Seconds: from a quiet pass to one that waits for slow starts. */
const durationBuckets = [0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300]

/** Makes counters from zero, in their own registry. */
export async function createMetrics(): Promise<Metrics> {
  const { Counter, Gauge, Histogram, Registry } = await import('prom-client')
  const registry = new Registry()
  const registers = [registry]
  const passes = new Counter({
    name: 'reeve_passes_total',
    help: 'Passes, by result.',
    labelNames: ['result'],
    registers,
  })
  const passDuration = new Histogram({
    name: 'reeve_pass_duration_seconds',
    help: 'How long passes took.',
    buckets: durationBuckets,
    registers,
  })
  const lastSuccess = new Gauge({
    name: 'reeve_last_successful_pass_timestamp_seconds',
    help: 'When the last pass without a failure ended.',
    registers,
  })
  const steps = new Counter<'verb' | 'result'>({
    name: 'reeve_steps_total',
    help: 'Steps, by verb and result.',
    labelNames: ['verb', 'result'],
    registers,
  })
  const facilities = new Gauge({
    name: 'reeve_facilities',
    help: 'Facilities for which the condition holds; NotReady: those for which Ready does not; Drifted: those otherwise than declared about which nothing is done, as they are suspended.',
    labelNames: ['condition'],
    registers,
  })
  const drift = new Counter({
    name: 'reeve_drift_corrected_total',
    help: 'Facilities brought back to what is declared, though no manifest had changed.',
    registers,
  })
  const manifestErrors = new Gauge({
    name: 'reeve_manifest_errors',
    help: 'Errors in the manifests, as last read.',
    registers,
  })
  const unwritable = new Gauge<'supervisor' | 'path'>({
    name: 'reeve_unwritable_since_timestamp_seconds',
    help: "Since when the controller (supervisor is empty) or a supervisor can't write down what it does in the place of this path, as on a full disk. No sample: it can.",
    labelNames: ['supervisor', 'path'],
    registers,
  })
  const fetches = new Counter<'reason'>({
    name: 'reeve_source_fetches_total',
    help: 'Questions to the Git repository, by what came of them: UpToDate, or the reason why the wanted revision is not in force.',
    labelNames: ['reason'],
    registers,
  })
  const lastFetch = new Gauge<'url'>({
    name: 'reeve_source_last_fetch_timestamp_seconds',
    help: 'When the Git repository last answered. No sample: it has not yet, or none is followed.',
    labelNames: ['url'],
    registers,
  })
  const revision = new Gauge<'commit'>({
    name: 'reeve_revision_info',
    help: '1 for the commit that is in force.',
    labelNames: ['commit'],
    registers,
  })
  // A rate needs the zero before the first event.
  for (const result of ['done', 'failed', 'aborted']) passes.inc({ result }, 0)

  const countStep = (verb: Verb, result: string): void => steps.inc({ verb, result })
  return {
    listener: event => {
      if (event.type === 'step-finished') countStep(event.step.verb, event.result)
    },
    recordPass(result, duration, at) {
      passes.inc({ result })
      passDuration.observe(duration / 1000)
      if (result === 'done') lastSuccess.set(at / 1000)
    },
    recordDriftCorrected: count => drift.inc(count),
    setFacilities(all) {
      for (const [condition, count] of countConditions(all)) facilities.set({ condition }, count)
    },
    setManifestErrors: count => manifestErrors.set(count),
    recordFetch(source) {
      fetches.inc({ reason: source.condition.reason })
      if (source.fetchedAt !== null) lastFetch.set({ url: source.url }, Date.parse(source.fetchedAt) / 1000)
      revision.reset()
      if (source.revision) revision.set({ commit: source.revision.commit }, 1)
    },
    setUnwritable(places) {
      unwritable.reset()
      for (const { supervisor = '', path, since } of places)
        unwritable.set({ supervisor, path }, Date.parse(since) / 1000)
    },
    text: () => registry.metrics(),
    contentType: registry.contentType,
  }
}

function countConditions(facilities: readonly FacilityStatus[]): Map<string, number> {
  const counts = new Map([
    ['Ready', 0],
    ['NotReady', 0],
    ['Reconciling', 0],
    ['Stalled', 0],
    ['CrashLooping', 0],
    ['Undone', 0],
    ['Drifted', 0],
  ])
  const add = (condition: string): void => void counts.set(condition, (counts.get(condition) ?? 0) + 1)
  for (const { conditions, pending } of facilities) {
    if (pending !== undefined) add('Drifted')
    const holding = conditions.filter(condition => condition.status === 'True').map(condition => condition.type)
    for (const condition of holding) add(condition)
    if (!holding.includes('Ready')) add('NotReady')
  }
  return counts
}
