/** Clock of everything that waits, in milliseconds. Tests replace it by one that they move. */
export interface Clock {
  /** Wall clock time since 1970, which people and NTP may step: for display, and for comparison with recorded times. */
  now(): number
  /** Monotonic time of this process: for durations. */
  elapsed(): number
  /** Waits for `duration`. Rejects with the signal's reason if the signal is aborted first. */
  sleep(duration: number, signal?: AbortSignal): Promise<void>
  /** Timer: calls `act` once, unless it is disposed of before. */
  after(duration: number, act: () => void, options?: TimerOptions): Disposable
}

export interface TimerOptions {
  /** Whether the process stays alive until the timer has fired. Default: true. */
  readonly keepsAlive?: boolean
}
