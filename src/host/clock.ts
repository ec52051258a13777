/** Time, as everything that waits gets it: tests put one in whose hands they move. All in milliseconds. */
export interface Clock {
  /** Since 1970. */
  now(): number
  /** Rejects with the signal's reason when it is aborted first. */
  sleep(duration: number, signal?: AbortSignal): Promise<void>
  /** Calls `act` once, unless disposed of before. Keeps the process alive till then. */
  after(duration: number, act: () => void): Disposable
}

/** Node fires longer timers at once. */
const longestTimer = 2 ** 31 - 1

export function createClock(): Clock {
  return {
    now: () => Date.now(),
    sleep(duration, signal) {
      return new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason)
        const abort = (): void => {
          clearTimeout(timer)
          reject(signal?.reason)
        }
        const timer = setTimeout(
          () => {
            signal?.removeEventListener('abort', abort)
            resolve()
          },
          Math.min(duration, longestTimer),
        )
        signal?.addEventListener('abort', abort, { once: true })
      })
    },
    after(duration, act) {
      const timer = setTimeout(act, Math.min(duration, longestTimer))
      return { [Symbol.dispose]: () => clearTimeout(timer) }
    },
  }
}
