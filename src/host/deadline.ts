import type { Clock } from './clock.ts'

/** A signal that a timer of the clock aborts, or one of its parents; see `openDeadline`. */
export interface Deadline extends Disposable {
  readonly signal: AbortSignal
  /** True: the time is over. False: it isn't yet, or a parent was aborted before. */
  isOver(): boolean
}

/**
 * Gives a signal that is aborted after `duration` (ms), or as soon as a parent is. Until it is disposed of, the clock's timer
 * and the parents' listeners hold it: what `AbortSignal.any` and `AbortSignal.timeout` give can be collected before it fires
 * (nodejs/node#57736), and whoever waits for it then waits for ever (E23).
 */
export function openDeadline(clock: Clock, duration: number, parents: readonly AbortSignal[] = []): Deadline {
  const controller = new AbortController()
  let over = false
  const listeners = parents.map(parent => ({ parent, onAbort: () => controller.abort(parent.reason) }))
  const timer = clock.after(duration, () => {
    if (controller.signal.aborted) return
    over = true
    controller.abort(new DOMException(`the time of ${duration} ms is over`, 'TimeoutError'))
  })
  for (const { parent, onAbort } of listeners) {
    if (parent.aborted) onAbort()
    else parent.addEventListener('abort', onAbort, { once: true })
  }
  return {
    signal: controller.signal,
    isOver: () => over,
    [Symbol.dispose]() {
      timer[Symbol.dispose]()
      for (const { parent, onAbort } of listeners) parent.removeEventListener('abort', onAbort)
    },
  }
}
