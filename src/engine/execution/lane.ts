import type { EngineListener } from '../../core/contracts/engine-event.ts'
import type { ResolvedFacility } from '../../core/model/resolved-facility.ts'
import type { FacilityPlan, Step } from '../../core/plan/step.ts'
import { ReeveError } from '../../core/reeve-error.ts'

/** A facility's plan to be carried out. */
export interface Work {
  readonly plan: FacilityPlan
  /** Absent for removals. */
  readonly target?: ResolvedFacility
  /** See `Action.startsJob`. */
  readonly startsJob?: boolean
}

/** What there is to do of these plans. */
export function makeWork(plans: readonly FacilityPlan[], targets: readonly ResolvedFacility[]): Work[] {
  const byName = new Map(targets.map(target => [target.facility.name, target]))
  return plans.map(plan => {
    const target = plan.change === 'remove' ? undefined : byName.get(plan.name)
    return { plan, ...(target && { target }) }
  })
}

export interface LaneResult {
  readonly plan: FacilityPlan
  readonly target?: ResolvedFacility
  readonly result: 'done' | 'failed' | 'aborted'
  readonly error?: Error
}

export type Outcome = 'done' | 'failed' | 'skipped' | 'aborted'

/** Work under way: what is being done, how each step ended, and the events that tell of it. */
export interface Lane {
  readonly work: Work
  /** Aborted when the work is given up. */
  readonly signal: AbortSignal
  /** What it is doing or waiting for, in words. */
  activity(): string
  giveUp(why: string): void
  /** How a step of its plan ends; undefined for steps that aren't its own. */
  outcome(id: string): Promise<Outcome> | undefined
  does(activity: string): void
  /** `until` continues the sentence "waits for …". */
  waitsFor(until: string): void
  stepStarts(step: Step): void
  /** `began` by the clock that the lane was opened with. */
  stepEnds(step: Step, result: Outcome, began: number, error?: Error): void
}

export interface LaneOptions {
  /** In ms, from any moment on. */
  now(): number
  readonly listener: EngineListener
}

export function openLane(work: Work, { now, listener }: LaneOptions): Lane {
  const { plan } = work
  const { name, renamedFrom } = plan
  const abort = new AbortController()
  const ends = new Map<string, (outcome: Outcome) => void>()
  const outcomes = new Map(plan.steps.map(({ id }) => [id, new Promise<Outcome>(resolve => ends.set(id, resolve))]))
  let activity = 'about to begin'
  return {
    work,
    signal: abort.signal,
    activity: () => activity,
    giveUp: why => abort.abort(new ReeveError('aborted', `given up: ${why}`)),
    outcome: id => outcomes.get(id),
    does(what) {
      activity = what
    },
    waitsFor(until) {
      activity = `waits for ${until}`
      listener({ type: 'waiting', facility: name, until })
    },
    stepStarts(step) {
      listener({ type: 'step-started', facility: name, step, at: step.target ?? plan })
    },
    stepEnds(step, result, began, error) {
      ends.get(step.id)?.(result)
      listener({
        type: 'step-finished',
        facility: name,
        ...(renamedFrom === undefined ? {} : { renamedFrom }),
        step,
        at: step.target ?? plan,
        result,
        duration: now() - began,
        ...(error ? { error } : {}),
      })
    },
  }
}
