/** How a host runs programs, and what comes of it. */

export interface ContainedRunOptions {
  /** In ms. */
  readonly timeout?: number
  /** The whole of it. */
  readonly environment?: Readonly<Record<string, string>>
  readonly directory?: string
  readonly signal?: AbortSignal
  readonly input?: string | Uint8Array
  /** How much of stdout and of stderr is kept, in bytes each; who writes more is ended. Absent: all is thrown away. */
  readonly outputLimit?: number
}

export interface ContainedRunResult {
  readonly exitCode: number
  /** Empty where it is thrown away. */
  readonly stdout: Uint8Array
  readonly stderr: string
}

export interface RunOptions {
  readonly timeout?: number
  /** Beside PATH, HOME and the like, which tools need; nothing else of Reeve's own environment reaches them. */
  readonly environment?: Readonly<Record<string, string>>
  readonly directory?: string
  readonly signal?: AbortSignal
  readonly input?: string
  /**
   * In a session of its own, and so without the terminal of whoever runs Reeve. For what comes to run as a service's user, who
   * could type into root's shell through it.
   */
  readonly hasOwnSession?: boolean
}

export interface SpawnOptions {
  /** The whole environment: nothing is inherited. */
  readonly environment: Readonly<Record<string, string>>
  readonly directory?: string
  /** A file that stdout and stderr are appended to; made with `outputMode`. Absent: /dev/null. */
  readonly output?: string
  readonly outputMode?: number
}

export interface SpawnedProcess {
  readonly pid: number
  /**
   * Resolves when it has ended and been reaped, with its exit code; undefined: a signal ended it. Waiting for it doesn't keep
   * this process alive.
   */
  readonly exited: Promise<number | undefined>
}
