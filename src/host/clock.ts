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

/** Node fires longer timers at once. */
const longestTimer = 2 ** 31 - 1

export function createClock(): Clock {
  return {
    now: () => Date.now(),
    elapsed: () => performance.now(),
    sleep(duration, signal) {
      return new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason)
        const abort = (): void => {
          timer[Symbol.dispose]()
          reject(signal?.reason)
        }
        const timer = after(duration, () => {
          signal?.removeEventListener('abort', abort)
          resolve()
        })
        signal?.addEventListener('abort', abort, { once: true })
      })
    },
    after,
  }
}

/** Not early by a part of a millisecond, as Node's timers can be: what was due then would find that it isn't yet. */
function after(duration: number, act: () => void, { keepsAlive = true }: TimerOptions = {}): Disposable {
  const due = performance.now() + duration
  let timer: NodeJS.Timeout | undefined
  const arm = (): void => {
    const left = Math.min(Math.max(due - performance.now(), 0), longestTimer)
    timer = setTimeout(() => (performance.now() < due ? arm() : act()), Math.ceil(left))
    if (!keepsAlive) timer.unref()
  }
  arm()
  return { [Symbol.dispose]: () => clearTimeout(timer) }
}
