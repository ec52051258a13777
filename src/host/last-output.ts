import type { Clock, TimerOptions } from '../core/contracts/clock.ts'

/**
 * Has something done that long (ms) after the end of a program, of whose output all is read then. Where this process stood still meanwhile,
 * timers come first, and what is in the pipe only after them.
 */
export function afterLastOutput(clock: Clock, grace: number, act: () => void, options?: TimerOptions): Disposable {
  return clock.after(grace, () => setImmediate(act), options)
}
