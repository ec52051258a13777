import type { Clock } from '../core/contracts/clock.ts'

/**
 * Coalesces requests into as few runs of `act` as possible, of which no two overlap: each caller gets the outcome of the first run that
 * begins after its request. `gather`: waited for before each run, for others to come in time.
 */
export function coalesce<T>(act: () => Promise<T>, gather?: () => Promise<void>): () => Promise<T> {
  let running: Promise<T> | undefined
  let next: Promise<T> | undefined

  async function begin(): Promise<T> {
    await running?.catch(() => {}) // told to those who asked for that one
    await gather?.()
    next = undefined
    running = act()
    return running
  }

  return () => {
    next ??= begin()
    return next
  }
}

/** Time in ms that the first item waits for others while some are expected. */
const FIRST_PAUSE = 100

/**
 * Wait of later items while others are expected, as a multiple of the last duration: the runs then take a fifth of the
 * time.
 */
const PAUSE_RATIO = 4

/** Interval in ms at which it is checked whether others are still expected. */
const INTERVAL = 10

/**
 * Coalesces items into one run of `act` for all of them, where that takes about as long as for one. The returned function adds an item,
 * and resolves when the run is done for it. `expects`: whether more items may follow soon, besides those that are waiting.
 */
export function coalesceItems<T>(
  act: (items: readonly T[]) => Promise<void>,
  expects: (waiting: number) => boolean,
  clock: Clock,
): (item: T) => Promise<void> {
  const waiting: T[] = []
  let pause = FIRST_PAUSE

  async function actOnAll(): Promise<void> {
    const began = clock.elapsed()
    await act(waiting.splice(0))
    pause = (clock.elapsed() - began) * PAUSE_RATIO
  }

  async function gather(): Promise<void> {
    const due = clock.elapsed() + pause
    while (clock.elapsed() < due && expects(waiting.length)) await clock.sleep(INTERVAL)
  }

  const run = coalesce(actOnAll, gather)
  return item => {
    waiting.push(item)
    return run()
  }
}
