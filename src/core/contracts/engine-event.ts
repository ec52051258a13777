import type { Step } from '../plan/step.ts'
import type { Location } from '../state/snapshot.ts'

/** Event of the engine's work: for progress, logs, history and metrics. */
export type EngineEvent =
  | { readonly type: 'step-started'; readonly facility: string; readonly step: Step; readonly at: Location }
  | {
      readonly type: 'step-finished'
      readonly facility: string
      /** As in the plan of the facility. */
      readonly renamedFrom?: string
      readonly step: Step
      readonly at: Location
      readonly result: 'done' | 'failed' | 'skipped' | 'aborted'
      /** Milliseconds. */
      readonly duration: number
      readonly error?: Error
    }
  /** `until` continues the sentence "waits for …": `db to become ready`. */
  | { readonly type: 'waiting'; readonly facility: string; readonly until: string }
  | { readonly type: 'ready'; readonly facility: string }
  | { readonly type: 'not-ready'; readonly facility: string; readonly message: string }

export type EngineListener = (event: EngineEvent) => void
