import type { Plan } from '../plan/step.ts'
import type { ApplyOutcome } from './apply-outcome.ts'
import type { EngineListener } from './engine-event.ts'
import type { RevisionReport, SourceStatus } from './source-status.ts'
import type { Status } from './status.ts'

export type ControlVerb = 'start' | 'stop' | 'restart' | 'reload' | 'enable' | 'disable'

export interface ControlOptions {
  /** Only if the service is stopped. */
  readonly ifStopped?: boolean
  /** Only if its configuration changed since the running process read it. */
  readonly ifChanged?: boolean
  /** Suspend the facility as well, so that the controller doesn't undo it. */
  readonly suspend?: boolean
}

export interface ControlOutcome {
  /** False: nothing had to be done. */
  readonly changed: boolean
  /** One line for people. */
  readonly message: string
}

/**
 * What a pass depends on besides the host and the manifests, by name, each as JSON or as a digest of it: those of who asks for it and of
 * the controller that makes it have to be the same.
 */
export type Settings = Readonly<Record<string, string>>

export interface PassWish {
  readonly allowRemovals?: number
  readonly saved?: Pick<Plan, 'digest'>
  /** False: the revision in force is applied, whatever the repository has now. Default true. */
  readonly fetch?: boolean
}

export interface PassWays {
  readonly listener: EngineListener
  /** Where the pass is made here, it ends it. A controller goes on with what it has begun, and begins nothing more for it. */
  readonly signal: AbortSignal
  /** Settings of who asks, where that is another process. Those of a controller have to be the same. */
  readonly settings?: Settings
}

/**
 * What people ask of a running Reeve: over the control socket where a controller runs, else done here under the
 * writer's lock. Both fail with ReeveError.
 */
export interface Control {
  /** The process that does it, where it isn't this one. */
  readonly pid?: number
  status(name?: string): Promise<Status>
  act(verb: ControlVerb, name: string, options?: ControlOptions): Promise<ControlOutcome>
  suspend(name: string): Promise<ControlOutcome>
  resume(name: string): Promise<ControlOutcome>
  /** See `applyOnce`. */
  apply(wish: PassWish, ways: PassWays): Promise<ApplyOutcome>
  /** What `down` would do. */
  planDown(names: readonly string[], settings?: Settings): Promise<Plan>
  /** See `takeDown`. */
  down(names: readonly string[], ways: PassWays): Promise<ApplyOutcome>
  /** Asks the repository for its newest revision now, and lets it come into force. Throws ReeveError `usage` if none is followed. */
  sync(wish?: SyncWish): Promise<SourceStatus>
  /** Lets a commit whose history was rewritten come into force. Throws ReeveError `refused` if it isn't the one that waits. */
  accept(commit: string): Promise<SourceStatus>
  /** Puts a revision into force and keeps it there. Absent: the newest healthy one before. Throws ReeveError `not-found`. */
  rollback(revision?: string): Promise<RevisionReport>
}

/** What is asked of the repository: the rest of a control is about the host. */
export type SourceControl = Pick<Control, 'sync' | 'accept' | 'rollback'>
export type HostControl = Omit<Control, keyof SourceControl>

export interface SyncWish {
  /** Tries again what has failed on this host. */
  readonly retries?: boolean
  /** Waits until it is known what becomes of the revision. */
  readonly waits?: boolean
}
