import pLimit from 'p-limit'
import type { EngineListener } from '../../core/contracts/engine-event.ts'
import type { Action, ActionResult, ServiceVerb } from '../../core/contracts/provider.ts'
import { isStartedAgain } from '../../core/model/facility.ts'
import type { ResolvedFacility, ResolvedFile } from '../../core/model/resolved-facility.ts'
import { makesWay } from '../../core/plan/start-blocker.ts'
import type { FacilityPlan, Step } from '../../core/plan/step.ts'
import { bringsUp, endingSteps } from '../../core/plan/step-builder.ts'
import { participles, type Verb } from '../../core/plan/verb.ts'
import { messageOf, ReeveError } from '../../core/reeve-error.ts'
import { type Location, locationKey } from '../../core/state/snapshot.ts'
import { abortable } from '../../host/abortable.ts'
import { createBatcher, type Perform } from './batcher.ts'
import {
  followsStop,
  isLastStop,
  overwrittenAgain,
  overwrittenOnce,
  planRestore,
  planRewrite,
} from './overwritten-files.ts'
import { planRollback } from './rollback.ts'

/**
 * Carries out plans: one lane per facility, its steps one after another, all lanes side by side. A lane that waits (a
 * slow stop, a dependency's health) holds up nothing but itself and those that need it (E5). What becomes due at the
 * same moment goes to a provider in one batch.
 */
export interface Executor {
  /**
   * Starts a lane for each plan that has steps, and gives the names of their facilities. One that is busy is left out:
   * look again when it is free.
   */
  submit(work: readonly Work[]): ReadonlySet<string>
  isBusy(facility: string): boolean
  /** What the lane is doing or waiting for, in words; undefined if it isn't busy. */
  activity(facility: string): string | undefined
  /** Stops waiting for it (E6). What a provider has begun is reported as it comes. */
  abort(facility: string): void
  /** Aborts all lanes, and starts none from now on. */
  end(): void
  /** Resolves when the facility's present lane has ended, with what it failed by; at once if it has none. */
  settled(facility: string): Promise<Error | undefined>
  /** Resolves when no lane is left. */
  idle(): Promise<void>
}

export interface Work {
  readonly plan: FacilityPlan
  /** Absent for removals. */
  readonly target?: ResolvedFacility
  /** See `Action.startsJob`. */
  readonly startsJob?: boolean
}

export interface LaneResult {
  readonly plan: FacilityPlan
  readonly target?: ResolvedFacility
  readonly result: 'done' | 'failed' | 'aborted'
  readonly error?: Error
}

export interface ExecutorOptions {
  /** Hands a batch to the supervisor's provider. */
  perform: Perform
  /** Throws if the host's policy forbids the step as the host is now. */
  expectAllowed?(target: ResolvedFacility, step: Step): void
  /** Throws if what is declared is certain not to start on the host as it is now. */
  expectStartable?(target: ResolvedFacility): void
  writeFile(file: ResolvedFile, facility: ResolvedFacility['facility']): Promise<void>
  removeFile(path: string): Promise<void>
  /** Puts back what was there before the file was adopted. */
  restoreFile(path: string): Promise<void>
  /** Whether the file has the content that is declared. True also where that can't be told. */
  holds(file: ResolvedFile): boolean
  /**
   * Resolves when the facility is ready; rejects if it won't be, or on abort. As a dependency it has to run; of a move,
   * the new service has to get ready in its startup timeout. `waiting`: the facility whose lane waits.
   */
  whenReady(facility: string, signal: AbortSignal, as: 'dependency' | 'moved', waiting: string): Promise<void>
  now(): number
  /** How many starts, stops, restarts and reloads may be under way at once. */
  concurrency: number
  listener: EngineListener
  settled(result: LaneResult): void
}

/** Verbs that wait for processes. The others are quick, and cheaper the more of them go in one batch. */
const WAITING_VERBS: ReadonlySet<Verb> = new Set(['start', 'stop', 'restart', 'reload'])

type Outcome = 'done' | 'failed' | 'skipped' | 'aborted'

/** A step of a lane, for those of other lanes that need it. */
interface Pending {
  readonly outcome: Promise<Outcome>
  /** What it is to come to: `web to be stopped`. */
  readonly end: string
}

interface Failure {
  readonly step: Step
  readonly error: Error
  readonly outcome: Outcome
}

interface Lane {
  readonly work: Work
  readonly abort: AbortController
  activity: string
  readonly outcomes: Map<string, (outcome: Outcome) => void>
  /** Those who wait for its end. */
  readonly waiters: ((error: Error | undefined) => void)[]
}

export function createExecutor(options: ExecutorOptions): Executor {
  const lanes = new Map<string, Lane>()
  const pending = new Map<string, Pending>()
  const batcher = createBatcher(options.perform)
  const limit = pLimit(options.concurrency)
  const idleWaiters: (() => void)[] = []
  let ended = false

  function submit(work: readonly Work[]): ReadonlySet<string> {
    const opened: Lane[] = []
    for (const item of work) {
      if (ended || item.plan.steps.length === 0 || lanes.has(item.plan.name)) continue
      const abort = new AbortController()
      const lane: Lane = { work: item, abort, activity: 'about to begin', outcomes: new Map(), waiters: [] }
      for (const step of item.plan.steps) {
        const outcome = new Promise<Outcome>(resolve => lane.outcomes.set(step.id, resolve))
        pending.set(step.id, { outcome, end: `${item.plan.name} to be ${participles[step.verb]}` })
      }
      lanes.set(item.plan.name, lane)
      opened.push(lane)
    }
    for (const lane of opened) void runLane(lane).then(result => close(lane, result))
    return new Set(opened.map(lane => lane.work.plan.name))
  }

  function close(lane: Lane, result: LaneResult): void {
    lanes.delete(lane.work.plan.name)
    options.settled(result)
    for (const resolve of lane.waiters) resolve(result.error)
    if (lanes.size > 0) return
    // Not sooner: a lane may come late to a step that needs one of a lane that has ended.
    pending.clear()
    for (const resolve of idleWaiters.splice(0)) resolve()
  }

  async function runLane(lane: Lane): Promise<LaneResult> {
    const { plan, target } = lane.work
    const base = { plan, ...(target ? { target } : {}) }
    const ending = new Set(target ? endingSteps(plan.steps).map(({ id }) => id) : [])
    let failure: Failure | undefined
    for (const step of plan.steps) {
      if (failure && !(ending.has(step.id) && mayEndAfter(failure))) {
        conclude(lane, step, 'skipped', options.now())
        continue
      }
      const found = await tryStep(lane, step, runStep)
      failure = found?.outcome === 'aborted' ? found : (failure ?? found)
      if (!failure) failure = await keepFiles(lane, step)
    }
    if (!failure) return { ...base, result: 'done' }
    if (failure.outcome === 'aborted') return { ...base, result: 'aborted', error: failure.error }
    const error = await rollback(lane, failure.step, failure.error)
    return { ...base, result: 'failed', error }
  }

  async function tryStep(
    lane: Lane,
    step: Step,
    run: (lane: Lane, step: Step) => Promise<void>,
  ): Promise<Failure | undefined> {
    const began = options.now()
    try {
      await run(lane, step)
      conclude(lane, step, 'done', began)
      return undefined
    } catch (cause) {
      const error = cause instanceof Error ? cause : new Error(String(cause))
      const outcome = lane.abort.signal.aborted ? 'aborted' : 'failed'
      conclude(lane, step, outcome, began, error)
      return { step, error, outcome }
    }
  }

  function conclude(lane: Lane, step: Step, result: Outcome, began: number, error?: Error): void {
    lane.outcomes.get(step.id)?.(result)
    const duration = options.now() - began
    const { name, renamedFrom } = lane.work.plan
    options.listener({
      type: 'step-finished',
      facility: name,
      ...(renamedFrom === undefined ? {} : { renamedFrom }),
      step,
      at: step.target ?? lane.work.plan,
      result,
      duration,
      ...(error ? { error } : {}),
    })
  }

  async function runStep(lane: Lane, step: Step): Promise<void> {
    await awaitNeeds(lane, step)
    if (bringsUp(step)) await awaitDependencies(lane)
    if (step.verb === 'remove' && step.target && lane.work.target) {
      // The old side of a move goes only when the new one is up.
      await waitReady(lane, lane.work.plan.name, 'moved')
    }
    if (followsStop(lane.work.plan, step)) await writeOverwritten(lane, step)
    await takeStep(lane, step)
  }

  async function takeStep(lane: Lane, step: Step): Promise<void> {
    const { signal } = lane.abort
    signal.throwIfAborted()
    lane.activity = `${step.verb} ${step.path ?? ''}`.trim()
    const act = (): Promise<void> => {
      signal.throwIfAborted()
      options.listener({ type: 'step-started', facility: lane.work.plan.name, step, at: step.target ?? lane.work.plan })
      return perform(lane, step)
    }
    await (WAITING_VERBS.has(step.verb) ? inTurn(act, signal) : act())
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

  async function awaitNeeds(lane: Lane, step: Step): Promise<void> {
    for (const id of step.needs) {
      const needed = pending.get(id)
      if (!needed || lane.outcomes.has(id)) continue
      wait(lane, needed.end)
      const outcome = await abortable(needed.outcome, lane.abort.signal)
      if (outcome !== 'done') {
        throw new ReeveError(
          'failed',
          `${step.id} needs ${id}, which was ${outcome === 'failed' ? 'tried and failed' : outcome}`,
        )
      }
    }
  }

  async function awaitDependencies(lane: Lane): Promise<void> {
    for (const name of lane.work.target?.facility.dependsOn ?? []) await waitReady(lane, name, 'dependency')
  }

  async function waitReady(lane: Lane, name: string, as: 'dependency' | 'moved'): Promise<void> {
    wait(lane, `${name} to become ready`)
    try {
      await options.whenReady(name, lane.abort.signal, as, lane.work.plan.name)
    } catch (cause) {
      if (lane.abort.signal.aborted) throw cause
      throw new ReeveError('failed', `${name} did not become ready: ${messageOf(cause)}`, { cause })
    }
  }

  function wait(lane: Lane, until: string): void {
    lane.activity = `waits for ${until}`
    options.listener({ type: 'waiting', facility: lane.work.plan.name, until })
  }

  async function perform(lane: Lane, step: Step): Promise<void> {
    if (lane.work.target && !step.target) options.expectAllowed?.(lane.work.target, step)
    if (lane.work.target && makesWay(step, lane.work.plan.steps)) options.expectStartable?.(lane.work.target)
    if (step.verb === 'write-file') {
      const { target } = lane.work
      const file = target?.files.find(candidate => candidate.path === step.path)
      if (!target || !file) throw new ReeveError('internal', `${step.id} names a file that the facility doesn't have`)
      return options.writeFile(file, target.facility)
    }
    if (step.verb === 'remove-file') return options.removeFile(step.path ?? '')
    if (step.verb === 'restore-file') return options.restoreFile(step.path ?? '')
    const location: Location = step.target ?? lane.work.plan
    const result = await act(lane, location, step.id, step.verb)
    if (!result.ok) throw explainStart(result.error, step, lane.work.target)
  }

  function act(lane: Lane, location: Location, id: string, verb: ServiceVerb): Promise<ActionResult> {
    const definition = verb === 'install' ? lane.work.target?.definition : undefined
    const { signal } = lane.abort
    const { service } = location
    const waits = (until: string): void => wait(lane, until)
    const { startsJob = false } = lane.work
    const action: Action = {
      id,
      verb,
      service,
      signal,
      waits,
      ...(definition ? { definition } : {}),
      ...(startsJob && verb === 'start' ? { startsJob } : {}),
    }
    return batcher.perform(location.supervisor, action)
  }

  /** Gives the error to report. */
  async function rollback(lane: Lane, failed: Step, error: Error): Promise<Error> {
    const { plan, target } = lane.work
    const undo = planRollback(plan, target, failed)
    if (!undo) return error
    for (const step of undo.steps) {
      const began = options.now()
      const at = step.target ?? plan
      lane.activity = `puts the old service back: ${step.verb}`
      options.listener({ type: 'step-started', facility: plan.name, step, at })
      const result = await act(lane, at, step.id, step.verb)
      conclude(lane, step, result.ok ? 'done' : 'failed', began, result.ok ? undefined : result.error)
      if (result.ok) continue
      const message = `${error.message}; and the old service could not be put back: ${result.error.message}`
      return new ReeveError('failed', message, { cause: error })
    }
    const message = `the move failed, and ${locationKey(undo.old)} runs again: ${error.message}`
    return new ReeveError('failed', message, { cause: error })
  }

  return {
    submit,
    isBusy: facility => lanes.has(facility),
    activity: facility => lanes.get(facility)?.activity,
    abort(facility) {
      lanes.get(facility)?.abort.abort(givenUp('something newer is to be done about it'))
    },
    end() {
      ended = true
      for (const lane of lanes.values()) lane.abort.abort(givenUp('Reeve is ending'))
    },
    settled(facility) {
      const lane = lanes.get(facility)
      return lane ? new Promise(resolve => lane.waiters.push(resolve)) : Promise.resolve(undefined)
    },
    idle() {
      if (lanes.size === 0) return Promise.resolve()
      return new Promise(resolve => idleWaiters.push(resolve))
    },
  }
}

/**
 * What ends the service is done though a step before it failed: else who makes it fail would decide what runs. Not where the
 * service would only have become ours by that step.
 */
function mayEndAfter({ step, outcome }: Failure): boolean {
  return outcome !== 'aborted' && !(step.verb === 'install' && step.reason === 'adopted')
}

/** What was known to be in the way of the start says more than that it failed, unless its supervisor has said so too. */
function explainStart(error: Error, step: Step, target: ResolvedFacility | undefined): Error {
  const problems = bringsUp(step) ? (target?.startProblems ?? []) : []
  const { message } = error
  const more = problems.filter(problem => {
    const [path] = /\/[^\s:;,]+/.exec(problem) ?? [problem]
    return !message.includes(path)
  })
  if (more.length === 0) return error
  const code = error instanceof ReeveError ? error.code : 'failed'
  return new ReeveError(code, `${message}; ${more.join('; ')}`, { cause: error })
}

function givenUp(why: string): ReeveError {
  return new ReeveError('aborted', `given up: ${why}`)
}
