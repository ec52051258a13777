import { ReeveError } from '../../core/reeve-error.ts'
import { formatDuration } from '../../core/text/quantity.ts'
import type { Clock } from '../../host/clock.ts'
import { openDeadline } from '../../host/deadline.ts'

/** What keeps something from being done now, and may be over soon. */
export interface Hindrance {
  readonly reason: string
  readonly message: string
}

export interface PatienceOptions {
  readonly clock: Clock
  /** Gives up. */
  readonly signal: AbortSignal
  /** In ms. */
  readonly timeout: number
  /** Called after each attempt that has failed. */
  readonly onHindrance: (hindrance: Hindrance) => void
}

/** Between two attempts, in ms. Servers ban addresses that fail to log in too often. */
const [firstPause, longestPause, growth] = [2_000, 15_000, 1.5]

/**
 * Attempts it again and again, ever more rarely, until it gives a value. Throws what the attempt throws, and ReeveError: `not-ready` with
 * the last hindrance at the timeout, `aborted` by the signal.
 */
export async function keepTrying<T>(
  attempt: (signal: AbortSignal) => Promise<{ readonly value: T } | { readonly hindrance: Hindrance }>,
  { clock, signal, timeout, onHindrance }: PatienceOptions,
): Promise<T> {
  using limit = openDeadline(clock, timeout, [signal])
  let last: Hindrance | undefined
  try {
    for (let pause = firstPause; ; pause = Math.min(longestPause, pause * growth)) {
      const result = await attempt(limit.signal)
      if ('value' in result) return result.value
      last = result.hindrance
      onHindrance(last)
      await clock.sleep(pause, limit.signal)
    }
  } catch (error) {
    if (!limit.signal.aborted) throw error
    if (!limit.isOver()) throw new ReeveError('aborted', 'interrupted; run the command again to go on from here')
    const cause = last === undefined ? '' : ` (${last.message})`
    throw new ReeveError(
      'not-ready',
      `given up after ${formatDuration(timeout)}${cause}; run the command again to go on from here`,
    )
  }
}
