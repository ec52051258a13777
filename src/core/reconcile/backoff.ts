/** Backoff of a failing facility. All times in milliseconds. */
export interface BackoffRule {
  readonly first: number
  readonly most: number
  /** Random share of the wait, 0 to 1, so that many don't retry at once. */
  readonly jitter: number
}

export const RETRY: BackoffRule = { first: 1_000, most: 300_000, jitter: 0.2 }

/** Backoff of a move that was rolled back: each try interrupts the running service. */
export const MOVE_RETRY: BackoffRule = { first: 600_000, most: 3_600_000, jitter: 0.2 }

/** Backoff of facilities that undo each other's steps: each try interrupts a running service. */
export const UNDONE_RETRY: BackoffRule = { first: 300_000, most: 3_600_000, jitter: 0.2 }

/** Failures in a row after which a facility counts as stalled; it is still retried. */
export const STALLED_AFTER = 3

/** The wait after the n-th failure in a row (from 1). `random` is in [0, 1). */
export function backoffDelay(failures: number, random: number, rule: BackoffRule = RETRY): number {
  const exponent = Math.min(Math.max(failures - 1, 0), 40)
  const full = Math.min(rule.first * 2 ** exponent, rule.most)
  return Math.round(full * (1 - rule.jitter * random))
}
