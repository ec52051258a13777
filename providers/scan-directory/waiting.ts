import type { ReadHost } from '../../src/core/provider.ts'
import type { Clock } from '../../src/host/clock.ts'

/** How often a condition is looked at though no event came, in ms: events may be lost. */
const interval = 1_000

/** Resolves when the condition holds, true, or false when `limit` (ms) is over. Rejects when aborted. */
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
    // Looked at once more, now that the watches are armed.
    while (!condition()) {
      signal.throwIfAborted()
      const left = end - clock.elapsed()
      if (left <= 0) return false
      await new Promise<void>((resolve, reject) => {
        const timer = clock.after(Math.min(interval, left), resolve)
        const abort = (): void => reject(signal.reason)
        signal.addEventListener('abort', abort, { once: true })
        wake = () => {
          timer[Symbol.dispose]()
          signal.removeEventListener('abort', abort)
          resolve()
        }
      }).finally(() => wake())
    }
    return true
  } finally {
    for (const watch of watches) watch[Symbol.dispose]()
  }
}
