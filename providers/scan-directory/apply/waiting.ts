import type { ReadHost } from '../../../src/core/contracts/host.ts'
import type { Clock } from '../../../src/host/clock.ts'

/** Interval in ms at which a condition is checked without an event: events may be lost. */
const interval = 1_000

/** Delay in ms of the check after an event: a start causes half a dozen events in a row, and one check serves them all. */
const gathering = 4

/** Resolves with true when the condition holds, or false after `limit` (ms). Rejects when aborted. */
export async function waitUntil(
  condition: () => boolean,
  directories: readonly string[],
  { host, clock, signal, limit }: { host: ReadHost; clock: Clock; signal: AbortSignal; limit: number },
): Promise<boolean> {
  if (condition()) return true
  const end = clock.elapsed() + limit
  let wake = (): void => {}
  const watches = directories.map(directory => host.watch(directory, () => wake()))
  try {
    // Checked once more, now that the watches are armed.
    while (!condition()) {
      signal.throwIfAborted()
      const left = end - clock.elapsed()
      if (left <= 0) return false
      await new Promise<void>((resolve, reject) => {
        const abort = (): void => {
          timer[Symbol.dispose]()
          reject(signal.reason)
        }
        const look = (): void => {
          signal.removeEventListener('abort', abort)
          resolve()
        }
        let timer = clock.after(Math.min(interval, left), look)
        signal.addEventListener('abort', abort, { once: true })
        wake = () => {
          wake = () => {}
          timer[Symbol.dispose]()
          timer = clock.after(gathering, look)
        }
      })
    }
    return true
  } finally {
    for (const watch of watches) watch[Symbol.dispose]()
  }
}
