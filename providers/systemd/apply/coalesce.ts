import type { Clock } from '../../../src/host/clock.ts'

/** Does for many at once what each of them asks for by itself, since for all it takes about as long as for one. */
export interface Coalescer<T> {
  /** Resolves when it has been done for this one, with all who came in time. */
  add(item: T): Promise<void>
}

/** How long (ms) the first waits for others, while some are expected. */
const FIRST_PAUSE = 100

/** So many times as long as it took last the next ones wait, while others are expected: then all of them take a fifth of the time. */
const PAUSE_RATIO = 4

/** How often (ms) it is looked whether others are still expected. */
const LOOK = 10

/** `expects`: whether others may come soon, beside those who wait already. */
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
    await running?.catch(() => {}) // told to those whom it was for
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
