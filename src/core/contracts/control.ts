import type { Plan } from '../plan/step.ts'
import type { ApplyOutcome } from './apply-outcome.ts'
import type { EngineListener } from './engine-event.ts'
import type { RevisionReport, SourceStatus } from './source-status.ts'
import type { Status } from './status.ts'

export type ControlVerb = 'start' | 'stop' | 'restart' | 'reload' | 'enable' | 'disable'

export interface ControlOptions {
  /** Condition: the service is stopped. */
  readonly ifStopped?: boolean
  /** Condition: the definition or a file has changed since the running process read it. */
  readonly ifChanged?: boolean
  /** Suspends the facility as well, so that the controller doesn't undo the action. */
  readonly suspend?: boolean
}

export interface ControlOutcome {
  /** Whether a step was carried out. */
  readonly changed: boolean
  /** Message for people, of one line. */
  readonly message: string
}

/**
 * Settings that a pass depends on besides the host and the manifests, by name; each as JSON, or as a digest of it. The settings of the
 * client and of the controller must be equal.
 */
export type Settings = Readonly<Record<string, string>>

export interface PassWish {
  readonly allowRemovals?: number
  readonly saved?: Pick<Plan, 'digest'>
  /** Whether the repository is fetched first; else the revision in force is applied. Default: true. */
  readonly fetch?: boolean
}

export interface PassWays {
  readonly listener: EngineListener
  /** Ends the pass. A controller finishes steps that are under way, and begins no others for it. */
  readonly signal: AbortSignal
  /** Settings of the client, if that is another process. */
  readonly settings?: Settings
}

/**
 * Control of Reeve by people: through the control socket if a controller runs, otherwise by this process under the writer's lock.
 * Methods reject with ReeveError.
 */
export interface Control {
  /** Process of the controller. Absent: this process acts. */
  readonly pid?: number
  status(name?: string): Promise<Status>
  act(verb: ControlVerb, name: string, options?: ControlOptions): Promise<ControlOutcome>
  suspend(name: string): Promise<ControlOutcome>
  resume(name: string): Promise<ControlOutcome>
  /** See `applyOnce`. */
  apply(wish: PassWish, ways: PassWays): Promise<ApplyOutcome>
  /** Plan of `down`. */
  planDown(names: readonly string[], settings?: Settings): Promise<Plan>
  /** See `takeDown`. */
  down(names: readonly string[], ways: PassWays): Promise<ApplyOutcome>
  /** Fetches the newest revision now, and puts it into force. Rejects with ReeveError `usage` if no repository is followed. */
  sync(wish?: SyncWish): Promise<SourceStatus>
  /** Puts a commit of a rewritten history into force. Rejects with ReeveError `refused` if it isn't the waiting one. */
  accept(commit: string): Promise<SourceStatus>
  /** Puts a revision into force and keeps it there; by default the newest healthy one before. Rejects with ReeveError `not-found`. */
  rollback(revision?: string): Promise<RevisionReport>
}

/** Part of a control that is about the repository; the rest is about the host. */
export type SourceControl = Pick<Control, 'sync' | 'accept' | 'rollback'>
export type HostControl = Omit<Control, keyof SourceControl>

export interface SyncWish {
  /** Retries a revision that has failed on this host. */
  readonly retries?: boolean
  /** Waits for the outcome of the roll-out. */
  readonly waits?: boolean
}
