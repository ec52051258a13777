import { rollbackAfter } from '../../core/plan/rollback.ts'
import type { Step } from '../../core/plan/step.ts'
import { ReeveError } from '../../core/reeve-error.ts'
import { locationKey } from '../../core/state/snapshot.ts'
import type { Lane } from './lane.ts'
import type { StepAction } from './step-action.ts'

/** Carries out the plan's rollback for the failed step, if there is one. Returns the error to report. */
export async function rollBack(
  lane: Lane,
  { step: failed, error }: { readonly step: Step; readonly error: Error },
  { perform, now }: Pick<StepAction, 'perform'> & { now(): number },
): Promise<Error> {
  const rollback = rollbackAfter(lane.work.plan, failed)
  if (!rollback) return error
  for (const step of rollback.steps) {
    const began = now()
    lane.does(`puts the old service back: ${step.verb}`)
    lane.stepStarts(step)
    try {
      await perform(lane, step)
      lane.stepEnds(step, 'done', began)
    } catch (cause) {
      const problem = cause instanceof Error ? cause : new Error(String(cause))
      lane.stepEnds(step, 'failed', began, problem)
      const message = `${error.message}; and the old service could not be put back: ${problem.message}`
      return new ReeveError('failed', message, { cause: error })
    }
  }
  const message = `the move failed, and ${locationKey(rollback.to)} runs again: ${error.message}`
  return new ReeveError('failed', message, { cause: error })
}
