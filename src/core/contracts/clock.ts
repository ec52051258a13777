/** Time, as everything that waits gets it: tests put one in whose hands they move. All in milliseconds. */
export interface Clock {
  /** Since 1970, by the wall clock, which people and NTP step to and fro: to be shown, or compared with what is written down. */
  now(): number
  /** Since some moment of this process, and never stepped: to tell how long something has taken. */
  elapsed(): number
  /** Rejects with the signal's reason when it is aborted first. */
  sleep(duration: number, signal?: AbortSignal): Promise<void>
  /** Calls `act` once, unless disposed of before. Keeps the process alive till then, unless told not to. */
  after(duration: number, act: () => void, options?: TimerOptions): Disposable
}

export interface TimerOptions {
  /** False: the process may end without it. */
  readonly keepsAlive?: boolean
}
