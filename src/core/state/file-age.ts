/** The kernel stamps files by a clock that lags behind the one that processes and supervisors read, in ms: a tick at most. */
const LAG = 10

/**
 * True if a file that last changed at `changed` was there as it is now when something was started at `startedAt`; both in ms since
 * 1970. What was started has then read what is in the file now.
 */
export function wasThere(changed: number, startedAt: number): boolean {
  return changed + LAG < startedAt
}
