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
 * What people ask of a running Reeve: over the control socket where a controller runs, else done here under the
 * writer's lock. Both fail with ReeveError.
 */
export interface Control {
  status(name?: string): Promise<Status>
  act(verb: ControlVerb, name: string, options?: ControlOptions): Promise<ControlOutcome>
  suspend(name: string): Promise<ControlOutcome>
  resume(name: string): Promise<ControlOutcome>
}
