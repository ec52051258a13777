import type { EngineListener } from '../../core/contracts/engine-event.ts'
import type { ResolvedFacility } from '../../core/model/resolved-facility.ts'
import type { FacilityPlan, Step } from '../../core/plan/step.ts'
import { ReeveError } from '../../core/reeve-error.ts'

/** Plan of a facility, to be carried out. */
export interface Work {
  readonly plan: FacilityPlan
  /** Resolved facility; absent for removals. */
  readonly target?: ResolvedFacility
  /** See `Action.startsJob`. */
  readonly startsJob?: boolean
}

/** Work for these plans. */
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

/** Work under way: its current activity, the outcome of each step, and the events that report them. */
export interface Lane {
  readonly work: Work
  /** Aborted by `giveUp`. */
  readonly signal: AbortSignal
  /** What the lane is doing or waiting for, in words. */
  activity(): string
  giveUp(why: string): void
  /** Outcome of a step of this lane's plan; undefined for other steps. */
  outcome(id: string): Promise<Outcome> | undefined
  does(activity: string): void
  /** `until` continues the sentence "waits for …". */
  waitsFor(until: string): void
  stepStarts(step: Step): void
  /** `began`: when the step started, by `LaneOptions.now`. */
  stepEnds(step: Step, result: Outcome, began: number, error?: Error): void
}

export interface LaneOptions {
  /** Monotonic time in ms. */
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
