/** Options and results of programs that a host runs. */

export interface ContainedRunOptions {
  /** Time limit in ms. Absent: none. */
  readonly timeout?: number
  /** Whole environment: nothing is inherited. */
  readonly environment?: Readonly<Record<string, string>>
  readonly directory?: string
  readonly signal?: AbortSignal
  readonly input?: string | Uint8Array
  /** Size limit of stdout and of stderr, in bytes each; a program that writes more is ended. Absent: output is discarded. */
  readonly outputLimit?: number
}

export interface ContainedRunResult {
  readonly exitCode: number
  /** Empty if output is discarded. */
  readonly stdout: Uint8Array
  readonly stderr: string
}

export interface RunOptions {
  /** Time limit in ms. Absent: none. */
  readonly timeout?: number
  /** Variables besides PATH, HOME and others that tools need. Nothing else of Reeve's own environment is inherited. */
  readonly environment?: Readonly<Record<string, string>>
  readonly directory?: string
  readonly signal?: AbortSignal
  readonly input?: string
  /**
   * Session of its own, without the terminal of the person who runs Reeve: for a program that changes to a service's user, who could
   * otherwise type into root's shell.
   */
  readonly hasOwnSession?: boolean
}

export interface SpawnOptions {
  /** Whole environment: nothing is inherited. */
  readonly environment: Readonly<Record<string, string>>
  readonly directory?: string
  /** File to which stdout and stderr are appended; created with `outputMode`. Absent: /dev/null. */
  readonly output?: string
  readonly outputMode?: number
}

export interface SpawnedProcess {
  readonly pid: number
  /**
   * End of the process: resolves with its exit code once it has been reaped, or with undefined if a signal ended it. Waiting for it
   * doesn't keep this process alive.
   */
  readonly exited: Promise<number | undefined>
}
