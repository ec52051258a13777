import type { ResolvedFacility } from '../model/resolved-facility.ts'
import type { Observed } from '../state/observed.ts'
import { LOOPING_RESTARTS } from '../state/readiness.ts'
import type { Step } from './step.ts'
import { findStart } from './step-builder.ts'

/**
 * Blocker of a running service whose declared form is certain not to start. Its definition isn't changed either, as the next crash or
 * boot would bring it into force. Undefined if the steps may be taken:
 *
 *   doesn't run, or is in a crash loop      → yes: nothing can be lost, and the failure tells the cause
 *   runs, and no step leads to a new start  → yes
 *   runs, and a step leads to a new start   → only without known problems
 *
 * `others`: services of the facility at other locations, which are stopped first.
 */
export function findStartBlocker(
  target: ResolvedFacility,
  observed: Observed,
  others: readonly (Observed | undefined)[],
  steps: readonly Step[],
): string | undefined {
  const { startProblems } = target
  if (startProblems === undefined) return undefined
  if (![observed, ...others].some(isServing) || !steps.some(step => leadsToStart(step, steps, target, observed))) {
    return undefined
  }
  return describeNoStart(startProblems)
}

export function describeNoStart(problems: readonly string[]): string {
  return `what is declared could not be started: ${problems.join('; ')}. The service goes on as it is until that is put right`
}

/** Whether it has a process that works, or is about to. */
export function isServing(observed: Observed | undefined): boolean {
  if (!observed || (observed.restarts ?? 0) >= LOOPING_RESTARTS) return false
  return observed.state === 'running' || (observed.state === 'starting' && observed.pid !== undefined)
}

/** Whether the step ends a process for another to be started in its place. */
export function makesWay(step: Step, steps: readonly Step[]): boolean {
  return step.verb === 'restart' || (step.verb === 'stop' && findStart(steps) !== undefined)
}

/** Whether this step replaces the present process, sooner or later. */
export function leadsToStart(
  step: Step,
  steps: readonly Step[],
  target: ResolvedFacility,
  { loaded }: Observed,
): boolean {
  if (makesWay(step, steps)) return true
  // Some supervisors stop an unsupervised process and start a new one.
  if (step.reason === 'unsupervised') return true
  if (step.verb !== 'install') return false
  const digest = loaded?.definition
  return digest === undefined || (digest !== target.definition?.digest && digest !== target.formerDigest)
}
