import pLimit from 'p-limit'
import { isStartedAgain } from '../../core/model/facility.ts'
import type { ResolvedFile } from '../../core/model/resolved-facility.ts'
import type { Step } from '../../core/plan/step.ts'
import { bringsUp, endingSteps } from '../../core/plan/step-builder.ts'
import type { Verb } from '../../core/plan/verb.ts'
import { messageOf, ReeveError, toError } from '../../core/reeve-error.ts'
import { abortable } from '../../host/abortable.ts'
import type { Lane, LaneOptions, LaneResult } from './lane.ts'
import {
  followsStop,
  isLastStop,
  overwrittenAgain,
  overwrittenOnce,
  planRestore,
  planRewrite,
} from './overwritten-files.ts'
import { rollBack } from './rollback.ts'
import { createStepAction, type StepActionOptions } from './step-action.ts'
import type { Waiting } from './waiting.ts'

export interface LaneRunOptions extends StepActionOptions, Pick<LaneOptions, 'now'> {
  /** Whether the file has the declared content. True also if that is unknown. */
  holds(file: ResolvedFile): boolean
  /** Limit of simultaneous starts, stops, restarts and reloads. */
  concurrency: number
}

/** Verbs that wait for processes. The others are quick, and cheaper in large batches. */
const WAITING_VERBS: ReadonlySet<Verb> = new Set(['start', 'stop', 'restart', 'reload'])

interface Failure {
  readonly step: Step
  readonly error: Error
  readonly outcome: 'failed' | 'aborted'
}

/** Runs a lane: its steps one after another; if one fails, the rest are skipped and a move is rolled back. Never rejects. */
export function createLaneRun(options: LaneRunOptions, waiting: Waiting): (lane: Lane) => Promise<LaneResult> {
  const action = createStepAction(options)
  const limit = pLimit(options.concurrency)

  async function runLane(lane: Lane): Promise<LaneResult> {
    const { plan, target } = lane.work
    const base = { plan, ...(target ? { target } : {}) }
    const ending = new Set(target ? endingSteps(plan.steps).map(({ id }) => id) : [])
    let failure: Failure | undefined
    for (const step of plan.steps) {
      if (failure && !(ending.has(step.id) && mayEndAfter(failure))) {
        lane.stepEnds(step, 'skipped', options.now())
        continue
      }
      const found = await tryStep(lane, step, runStep)
      failure = found?.outcome === 'aborted' ? found : (failure ?? found)
      if (!failure) failure = await keepFiles(lane, step)
    }
    if (!failure) return { ...base, result: 'done' }
    if (failure.outcome === 'aborted') return { ...base, result: 'aborted', error: failure.error }
    return { ...base, result: 'failed', error: await rollBack(lane, failure, { ...action, now: options.now }) }
  }

  async function tryStep(
    lane: Lane,
    step: Step,
    run: (lane: Lane, step: Step) => Promise<void>,
  ): Promise<Failure | undefined> {
    const began = options.now()
    try {
      await run(lane, step)
      lane.stepEnds(step, 'done', began)
      return undefined
    } catch (cause) {
      const { aborted } = lane.signal
      const error = aborted ? abortionBy(lane.signal, cause) : toError(cause)
      const outcome = aborted ? 'aborted' : 'failed'
      lane.stepEnds(step, outcome, began, error)
      return { step, error, outcome }
    }
  }

  async function runStep(lane: Lane, step: Step): Promise<void> {
    await waiting.forNeeds(lane, step)
    if (bringsUp(step)) await waiting.forDependencies(lane)
    // The old service of a move is removed only when the new one is ready.
    if (step.verb === 'remove' && step.target && lane.work.target) await waiting.forMoved(lane)
    if (followsStop(lane.work.plan, step)) await writeOverwritten(lane, step)
    await takeStep(lane, step)
  }

  async function takeStep(lane: Lane, step: Step): Promise<void> {
    const { signal } = lane
    signal.throwIfAborted()
    lane.does(`${step.verb} ${step.path ?? ''}`.trim())
    const act = (): Promise<void> => {
      signal.throwIfAborted()
      lane.stepStarts(step)
      action.expectAllowed(lane, step)
      return action.perform(lane, step)
    }
    await (WAITING_VERBS.has(step.verb) ? inTurn(act, signal) : act())
  }

  /** Waits for a free place unless aborted. An action that has begun is waited for even after an abort. */
  async function inTurn(act: () => Promise<void>, signal: AbortSignal): Promise<void> {
    let hasBegun = false
    const turn = limit(() => {
      hasBegun = true
      return act()
    })
    try {
      await abortable(turn, signal)
    } catch (error) {
      if (!hasBegun) throw error
      await turn
    }
  }

  function overwritten({ work }: Lane): ResolvedFile[] {
    return (work.target?.files ?? []).filter(file => !options.holds(file))
  }

  async function writeOverwritten(lane: Lane, step: Step): Promise<void> {
    const { target } = lane.work
    const files = overwritten(lane)
    if (!target || files.length === 0) return
    options.expectAllowed?.(target, step)
    for (const file of files) await options.writeFile(file, target.facility)
  }

  /** Restores files that the program overwrote as it ended, after a restart or the last stop, while it is stopped. */
  async function keepFiles(lane: Lane, ended: Step): Promise<Failure | undefined> {
    const { plan, target } = lane.work
    // Files of a blocked facility aren't touched, even if it is stopped.
    const staysStopped = plan.blocked === undefined && isLastStop(plan, ended)
    const files = ended.verb === 'restart' || staysStopped ? overwritten(lane) : []
    const last = plan.steps.at(-1)
    if (!target || !last || files.length === 0) return undefined
    if (!staysStopped && !isStartedAgain(target.facility)) {
      return { step: last, error: overwrittenOnce(target, files), outcome: 'failed' }
    }
    let failure: Failure | undefined
    for (const step of staysStopped ? planRestore(plan, files) : planRewrite(plan, files)) {
      // A service that was stopped for this is started again even if the file could not be written.
      if (!failure || step.verb === 'start') failure = (await tryStep(lane, step, takeStep)) ?? failure
    }
    if (failure) return failure
    const again = overwritten(lane)
    return again.length > 0 ? { step: last, error: overwrittenAgain(target, again), outcome: 'failed' } : undefined
  }

  return runLane
}

/** Error of an aborted step: why it was given up, and how it failed unless that says the same. */
function abortionBy({ reason }: AbortSignal, error: unknown): Error {
  for (let cause = error; cause instanceof Error; cause = cause.cause) if (cause === reason) return cause
  return new ReeveError('aborted', `${messageOf(reason)}: ${messageOf(error)}`, { cause: error })
}

/**
 * Whether stops and disables follow in spite of the failure: else anybody who causes one would decide what runs. Not if the
 * failed step would have adopted the service.
 */
function mayEndAfter({ step, outcome }: Failure): boolean {
  return outcome !== 'aborted' && !(step.verb === 'install' && step.reason === 'adopted')
}
