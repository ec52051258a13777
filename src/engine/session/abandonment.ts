import type { Action, Report } from '../../core/contracts/provider.ts'
import { ReeveError } from '../../core/reeve-error.ts'
import type { Clock } from '../../host/clock.ts'

/** Time in ms that an action may go on after it was aborted: the controller ends within 5 s (E16). */
const GRACE = 3_000

/**
 * Runs a batch until `apply` ends, or until each action was reported or abandoned. An action is abandoned if the provider goes on
 * with it for longer than `GRACE` after its abort: such a fault must not delay everything else.
 */
export function giveUpLate(
  actions: readonly Action[],
  clock: Clock,
  provider: string,
  report: Report,
  apply: (report: Report) => Promise<void>,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const open = new Map<string, Disposable>()
    const reportOnce: Report = result => {
      const watch = open.get(result.id)
      if (!watch) return
      open.delete(result.id)
      watch[Symbol.dispose]()
      report(result)
      if (open.size === 0) resolve()
    }
    for (const action of actions) {
      const { id, verb, service } = action
      const giveUp = (): void => {
        const message = `provider ${provider} went on with ${verb} of ${service} for ${GRACE / 1_000} s after it was told to end; this is a fault of the provider`
        reportOnce({ id, ok: false, error: new ReeveError('aborted', message) })
      }
      open.set(id, afterAbort(action.signal, clock, giveUp))
    }
    const end = (): void => {
      for (const watch of open.values()) watch[Symbol.dispose]()
    }
    apply(reportOnce).finally(end).then(resolve, reject)
  })
}

/** Calls `act` when `GRACE` has passed after an abort, unless disposed of before. */
function afterAbort(signal: AbortSignal, clock: Clock, act: () => void): Disposable {
  let timer: Disposable | undefined
  const onAbort = (): void => {
    timer = clock.after(GRACE, act)
  }
  if (signal.aborted) onAbort()
  else signal.addEventListener('abort', onAbort, { once: true })
  return {
    [Symbol.dispose]() {
      signal.removeEventListener('abort', onAbort)
      timer?.[Symbol.dispose]()
    },
  }
}
