import pLimit from 'p-limit'
import { isStartedAgain } from '../../core/model/facility.ts'
import type { ResolvedFile } from '../../core/model/resolved-facility.ts'
import type { Step } from '../../core/plan/step.ts'
import { bringsUp, endingSteps } from '../../core/plan/step-builder.ts'
import type { Verb } from '../../core/plan/verb.ts'
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
  /** Whether the file has the content that is declared. True also where that can't be told. */
  holds(file: ResolvedFile): boolean
  /** How many starts, stops, restarts and reloads may be under way at once. */
  concurrency: number
}

/** Verbs that wait for processes. The others are quick, and cheaper the more of them go in one batch. */
const WAITING_VERBS: ReadonlySet<Verb> = new Set(['start', 'stop', 'restart', 'reload'])

interface Failure {
  readonly step: Step
  readonly error: Error
  readonly outcome: 'failed' | 'aborted'
}

/** Runs lanes: the steps of each one after another, the rest skipped when one has failed, then the rollback of a move. Never rejects. */
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
      const error = cause instanceof Error ? cause : new Error(String(cause))
      const outcome = lane.signal.aborted ? 'aborted' : 'failed'
      lane.stepEnds(step, outcome, began, error)
      return { step, error, outcome }
    }
  }

  async function runStep(lane: Lane, step: Step): Promise<void> {
    await waiting.forNeeds(lane, step)
    if (bringsUp(step)) await waiting.forDependencies(lane)
    // The old side of a move goes only when the new one is up.
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
      action.expectMeant(lane, step)
      return action.perform(lane, step)
    }
    await (WAITING_VERBS.has(step.verb) ? inTurn(act, signal) : act())
  }

  /** Waits for a free place, unless the signal comes first. What has begun ends by itself. */
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

  /** After a restart, or the last stop: what the program wrote as it ended is written again, while it is stopped. */
  async function keepFiles(lane: Lane, ended: Step): Promise<Failure | undefined> {
    const { plan, target } = lane.work
    // What is stopped though it is blocked has none of its files touched.
    const staysStopped = plan.blocked === undefined && isLastStop(plan, ended)
    const files = ended.verb === 'restart' || staysStopped ? overwritten(lane) : []
    const last = plan.steps.at(-1)
    if (!target || !last || files.length === 0) return undefined
    if (!staysStopped && !isStartedAgain(target.facility)) {
      return { step: last, error: overwrittenOnce(target, files), outcome: 'failed' }
    }
    let failure: Failure | undefined
    for (const step of staysStopped ? planRestore(plan, files) : planRewrite(plan, files)) {
      // What was stopped for it is started again, whether the file could be written or not.
      if (!failure || step.verb === 'start') failure = (await tryStep(lane, step, takeStep)) ?? failure
    }
    if (failure) return failure
    const again = overwritten(lane)
    return again.length > 0 ? { step: last, error: overwrittenAgain(target, again), outcome: 'failed' } : undefined
  }

  return runLane
}

/**
 * What ends the service is done though a step before it failed: else who makes it fail would decide what runs. Not where the
 * service would only have become ours by that step.
 */
function mayEndAfter({ step, outcome }: Failure): boolean {
  return outcome !== 'aborted' && !(step.verb === 'install' && step.reason === 'adopted')
}
