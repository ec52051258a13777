import type { Action, ActionResult, Report } from '../core/contracts/provider.ts'
import { ReeveError, toError } from '../core/reeve-error.ts'

export function failureOf({ id }: Pick<Action, 'id'>, error: unknown): ActionResult {
  return { id, ok: false, error: toError(error) }
}

/** Error of an aborted action. `cause`: its own error, if it has one. */
export function abortionOf({ verb, service, signal }: Action, cause: unknown = signal.reason): ReeveError {
  return new ReeveError('aborted', `the ${verb} of ${service} was not waited for any longer`, { cause })
}

/** Carries out one action, and returns whether it succeeded. A failure is reported. */
export function attempt(action: Pick<Action, 'id'>, report: Report, act: () => void): boolean {
  try {
    act()
    return true
  } catch (error) {
    report(failureOf(action, error))
    return false
  }
}

/** Carries out several actions by one function, and reports its outcome for each. */
export async function together(actions: readonly Action[], report: Report, act: () => Promise<unknown>): Promise<void> {
  try {
    await act()
    for (const { id } of actions) report({ id, ok: true })
  } catch (error) {
    for (const action of actions) report(failureOf(action, error))
  }
}
