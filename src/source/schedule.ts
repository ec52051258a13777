/** So much of an interval is drawn by lot, so that hosts of one repository don't all ask at once. */
const jitter = 0.1

/** However often it failed, it is tried again after so many milliseconds, or after the interval where that is longer. */
const longestBackoff = 10 * 60_000

/**
 * When to ask the repository again, in milliseconds: after the interval, ever later while it fails, and spread.
 *
 * @param interval in ms
 * @param failures how often it has failed in a row
 * @param random from 0 to 1
 */
export function nextFetch(interval: number, failures: number, random: number): number {
  const backoff = Math.min(interval * 2 ** Math.min(failures, 20), Math.max(interval, longestBackoff))
  return Math.round(backoff * (1 - jitter + 2 * jitter * random))
}
