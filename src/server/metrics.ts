import type { EngineListener } from '../core/contracts/engine-event.ts'
import type { Status } from '../core/contracts/status.ts'
import type { Verb } from '../core/plan/verb.ts'
import { createFacilityMetrics } from './facility-metrics.ts'
import { createSourceMetrics, type SourceMetrics } from './source-metrics.ts'

/** What the controller counts, for Prometheus. */
export interface Metrics {
  /** Counts steps as they finish. */
  readonly listener: EngineListener
  /** `duration` in milliseconds, `at` in milliseconds since 1970. */
  recordPass(result: 'done' | 'failed' | 'aborted', duration: number, at: number): void
  /** Counts facilities whose drift was corrected. */
  recordDriftCorrected(count: number): void
  /** Replaces what is known of the mode, the facilities, and the places that can't be written. */
  setStatus(status: Status): void
  setManifestErrors(count: number): void
  /** Reads the source's state whenever the metrics are read. */
  readonly followSource: SourceMetrics['follow']
  /** Counts a question to the repository by its outcome. */
  readonly recordFetch: SourceMetrics['recordFetch']
  /** Counts a revision, once its outcome is final. */
  readonly recordRollout: SourceMetrics['recordRollout']
  /** In the text format of Prometheus. */
  text(): Promise<string>
  readonly contentType: string
}

/** Seconds: from a quiet pass to one that waits for slow starts. */
const durationBuckets = [0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300]

/** Makes counters from zero, in their own registry. */
export async function createMetrics(): Promise<Metrics> {
  const prometheus = await import('prom-client')
  const { Counter, Gauge, Histogram, Registry } = prometheus
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
  const facilities = createFacilityMetrics(prometheus, registers)
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
  const reporting = new Gauge({
    name: 'reeve_report_mode',
    help: '1 if the host is in report mode, in which nothing is changed; else 0.',
    registers,
  })
  const source = createSourceMetrics(prometheus, registers)
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
    setStatus(status) {
      reporting.set(status.mode === 'report' ? 1 : 0)
      facilities.set(status.facilities)
      unwritable.reset()
      for (const { supervisor = '', path, since } of status.unwritable ?? []) {
        unwritable.set({ supervisor, path }, Date.parse(since) / 1000)
      }
    },
    setManifestErrors: count => manifestErrors.set(count),
    followSource: source.follow,
    recordFetch: source.recordFetch,
    recordRollout: source.recordRollout,
    text: () => registry.metrics(),
    contentType: registry.contentType,
  }
}
