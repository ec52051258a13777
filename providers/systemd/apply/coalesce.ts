import type { Clock } from '../../../src/host/clock.ts'

/** Coalesces requests into one action for all of them, since that takes about as long as for one. */
export interface Coalescer<T> {
  /** Resolves when the action is done for this item, along with all that came in time. */
  add(item: T): Promise<void>
}

/** Time in ms that the first request waits for others while some are expected. */
const FIRST_PAUSE = 100

/**
 * Wait of later requests while others are expected, as a multiple of the last duration: the actions then take a fifth of the
 * time.
 */
const PAUSE_RATIO = 4

/** Interval in ms at which it is checked whether others are still expected. */
const LOOK = 10

/** `expects`: whether more requests may follow soon, besides those that are waiting. */
export function createCoalescer<T>(
  act: (items: readonly T[]) => Promise<void>,
  expects: (waiting: number) => boolean,
  clock: Clock,
): Coalescer<T> {
  let waiting: T[] = []
  let pause = FIRST_PAUSE
  let running: Promise<void> | undefined
  let next: Promise<void> | undefined

  async function begin(): Promise<void> {
    await running?.catch(() => {}) // reported to its own callers
    const due = clock.elapsed() + pause
    while (clock.elapsed() < due && expects(waiting.length)) await clock.sleep(LOOK)
    const items = waiting
    waiting = []
    next = undefined
    const began = clock.elapsed()
    running = act(items)
    await running
    pause = (clock.elapsed() - began) * PAUSE_RATIO
  }

  return {
    add(item) {
      waiting.push(item)
      next ??= begin()
      return next
    },
  }
}
