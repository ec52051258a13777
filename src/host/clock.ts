import type { Clock, TimerOptions } from '../core/contracts/clock.ts'

export type { Clock }

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

/** Rounded up, as Node's timers can fire a fraction of a millisecond early. */
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
