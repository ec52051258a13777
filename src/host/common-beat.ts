/**
 * Calls `act` every so many milliseconds, at the same moments as all others that beat at this interval or a multiple of
 * it: an idle process then wakes once for them all. Doesn't keep the process alive. The first time is after half to one
 * and a half intervals.
 */
export function beat(interval: number, act: () => void): Disposable {
  let timer: NodeJS.Timeout

  function arm(): void {
    const now = performance.now()
    // The nearest beat may be the one that just fired, a bit early; then the next one counts.
    const next = (Math.round(now / interval) + 1) * interval
    timer = setTimeout(() => {
      arm()
      act()
    }, next - now).unref()
  }

  arm()
  return { [Symbol.dispose]: () => clearTimeout(timer) }
}
