import type { ApplyOutcome } from '../../core/contracts/apply-outcome.ts'
import type { EngineListener } from '../../core/contracts/engine-event.ts'
import type { ResolvedFacility } from '../../core/model/resolved-facility.ts'
import { messageOf } from '../../core/reeve-error.ts'
import { findSuspended, type PlanRun } from '../refresh/plan-run.ts'
import type { Session } from '../session/session.ts'
import { type ExecutionOptions, openExecution } from './execution.ts'
import { awaitReadiness, findExpected, findSettled } from './expected-readiness.ts'
import { type LaneResult, makeWork, type Work } from './lane.ts'
import { findCauses } from './outcome.ts'
import { countSteps } from './step-count.ts'
import { createUndoingWatch, type UndoingWatch } from './undoing-watch.ts'

export interface PlanExecutionOptions extends Pick<ExecutionOptions, 'claims' | 'wrote' | 'listener'> {
  /** Cause of the steps for the history. */
  readonly trigger: string
  readonly signal: AbortSignal
  /** Called when all steps of a facility are done. */
  done?(target: ResolvedFacility): void
}

export interface PlanExecution {
  readonly outcome: ApplyOutcome
  /** True if readiness was waited for, so that the snapshot of the plan is out of date. */
  readonly hasWaited: boolean
  /** Steps that were done, for the snapshot after the execution. */
  readonly undoings: UndoingWatch
}

/** Carries out a plan and waits until the facilities are ready. An abort gives up what isn't done yet. */
export async function executePlan(
  session: Session,
  planRun: PlanRun,
  options: PlanExecutionOptions,
): Promise<PlanExecution> {
  const { plan, refresh, instances } = planRun
  const { claims, wrote, trigger, signal, listener } = options
  const results: LaneResult[] = []
  const undoings = createUndoingWatch(session.clock)
  findCauses(undoings, planRun)
  const counted = countSteps(listener)
  using execution = openExecution(session, {
    instances: () => instances,
    claims,
    ...(wrote && { wrote }),
    trigger,
    bounded: true,
    listener(event) {
      undoings.noted(event)
      counted.listener(event)
    },
    settled(result) {
      results.push(result)
      undoings.settled(result.plan.name, result.target?.facility.digest ?? '')
      const { plan, target } = result
      if (result.result === 'done' && target && plan.blocked === undefined) options.done?.(target)
    },
  })
  const { executor, tracker } = execution
  const declared = refresh.targets.map(target => target.facility)
  await execution.keepRuns(declared, refresh.snapshot)
  tracker.track(declared)
  const settled = findSettled(planRun, tracker)
  signal.addEventListener('abort', executor.end, { once: true })
  executor.submit(makeWork(plan.facilities, refresh.targets))
  if (signal.aborted) executor.end()
  await executor.idle()
  signal.removeEventListener('abort', executor.end)
  const failed = results
    .filter(result => result.result !== 'done')
    .map(({ plan: { name }, error }) => ({ facility: name, message: error ? messageOf(error) : 'given up' }))
  const failedNames = new Set(failed.map(({ facility }) => facility))
  const expected = findExpected(planRun, failedNames).filter(({ name }) => !settled.has(name))
  const notReady = signal.aborted ? [] : await awaitReadiness(expected, tracker, { listener, signal })
  const suspended = findSuspended(planRun)
  const outcome = { plan, failed, notReady, undone: [], stepsDone: counted.done(), suspended }
  return { outcome, hasWaited: expected.length > 0, undoings }
}

/** Carries out work and waits for its end, but not for readiness. */
export async function executeWork(
  session: Session,
  { instances, claims }: Pick<PlanRun, 'instances' | 'claims'>,
  work: readonly Work[],
  { trigger, listener }: { readonly trigger: string; readonly listener: EngineListener },
): Promise<readonly LaneResult[]> {
  const results: LaneResult[] = []
  using execution = openExecution(session, {
    instances: () => instances,
    claims: () => claims,
    trigger,
    bounded: true,
    listener,
    settled: result => results.push(result),
  })
  execution.executor.submit(work)
  await execution.executor.idle()
  return results
}
