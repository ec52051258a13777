/** How a failing facility is tried again. All times in milliseconds. */
export interface BackoffRule {
  readonly first: number
  readonly most: number
  /** How much of the wait is left to chance, 0 to 1, so that many don't try at once. */
  readonly jitter: number
}

export const RETRY: BackoffRule = { first: 1_000, most: 300_000, jitter: 0.2 }

/** For a move that was put back: each try costs the service that runs an outage. */
export const MOVE_RETRY: BackoffRule = { first: 600_000, most: 3_600_000, jitter: 0.2 }

/** For facilities that undo one another: each try costs what runs an outage. */
export const UNDONE_RETRY: BackoffRule = { first: 300_000, most: 3_600_000, jitter: 0.2 }

/** Failures in a row after which a facility counts as stalled; it is tried again all the same. */
export const STALLED_AFTER = 3

/** The wait after the n-th failure in a row (from 1). `random` is in [0, 1). */
export function backoffDelay(failures: number, random: number, rule: BackoffRule = RETRY): number {
  const exponent = Math.min(Math.max(failures - 1, 0), 40)
  const full = Math.min(rule.first * 2 ** exponent, rule.most)
  return Math.round(full * (1 - rule.jitter * random))
}
