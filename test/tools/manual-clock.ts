import type { Clock } from '../../src/host/clock.ts'

/** Clock that stands still until it is moved. */
export interface ManualClock extends Clock {
  /** Moves only the wall clock, back or forth, as NTP or a person does. */
  step(duration: number): void
  /** Advances and fires due timers in order of time; lets promises run after each. */
  advance(duration: number): Promise<void>
  /** Moves on as far as it takes for the promise to settle. */
  advanceUntil<T>(promise: Promise<T>): Promise<T>
  /** Like `advance`, but fires no timer. */
  pass(duration: number): void
  /** Number of waiting sleeps and timers. */
  readonly pending: number
  /** Resolves when that many wait: for code under test that reaches its timer through real I/O. */
  untilPending(count: number): Promise<void>
}

/** A timer may set another one for then. */
const TURNS = 4

interface Timer {
  readonly due: number
  readonly fire: () => void
}

export function createManualClock(start = 1_700_000_000_000): ManualClock {
  let now = start
  /** Of the wall clock. */
  let ahead = 0
  const timers = new Set<Timer>()
  const watchers = new Set<() => void>()

  function add(duration: number, act: () => void): Disposable {
    const timer: Timer = { due: now + Math.max(0, duration), fire: act }
    timers.add(timer)
    for (const watcher of [...watchers]) watcher()
    return { [Symbol.dispose]: () => timers.delete(timer) }
  }

  function takeDue(limit: number): Timer | undefined {
    // A Set keeps its order, and sort is stable: of two due at once, the older fires first.
    const next = [...timers].sort((a, b) => a.due - b.due)[0]
    if (!next || next.due > limit) return undefined
    timers.delete(next)
    return next
  }

  return {
    now: () => now + ahead,
    elapsed: () => now,
    step(duration) {
      ahead += duration
    },
    sleep(duration, signal) {
      return new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason)
        const timer = add(duration, () => {
          signal?.removeEventListener('abort', abort)
          resolve()
        })
        const abort = (): void => {
          timer[Symbol.dispose]()
          reject(signal?.reason)
        }
        signal?.addEventListener('abort', abort, { once: true })
      })
    },
    after: add,
    async advance(duration) {
      const end = now + duration
      await settle()
      for (let timer = takeDue(end); timer; timer = takeDue(end)) {
        now = timer.due
        timer.fire()
        await settle()
      }
      now = end
    },
    async advanceUntil(promise) {
      let isSettled = false
      const settled = promise.finally(() => {
        isSettled = true
      })
      settled.catch(() => {}) // told by what is returned
      while (!isSettled) {
        await settle()
        const next = isSettled ? undefined : takeDue(Number.POSITIVE_INFINITY)
        if (next) {
          now = next.due
          next.fire()
        }
      }
      return settled
    },
    pass(duration) {
      now += duration
    },
    get pending() {
      return timers.size
    },
    untilPending(count) {
      return new Promise(resolve => {
        const check = (): void => {
          if (timers.size < count) return
          watchers.delete(check)
          resolve()
        }
        watchers.add(check)
        check()
      })
    },
  }
}

/** Runs everything that waits for a promise or the next turn of the event loop, but no timer and no I/O. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < TURNS; turn += 1) await new Promise(resolve => setImmediate(resolve))
}
