import type { Observed } from '../core/state/observed.ts'
import { GOOD_RUN } from '../core/state/readiness.ts'

/**
 * `restarts` and `totalRestarts` of a service whose supervisor, or start script, notes the time of each start since the last one that
 * somebody asked for, in ms since 1970. `isUp`: it runs; else its supervisor is about to start it again.
 */
export function countRestarts(
  starts: readonly number[],
  { now, isUp }: { readonly now: number; readonly isUp: boolean },
): Required<Pick<Observed, 'restarts' | 'totalRestarts'>> {
  let restarts = 0
  for (const [index, start] of starts.entries()) {
    const next = starts[index + 1] ?? now
    const isLast = index === starts.length - 1
    const isGood = next - start >= GOOD_RUN
    if (isLast && isUp) return { restarts: isGood ? 0 : restarts, totalRestarts: index }
    restarts = isGood ? 1 : restarts + 1
  }
  return { restarts, totalRestarts: starts.length }
}
