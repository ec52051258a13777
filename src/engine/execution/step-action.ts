import type { ActionResult, ServiceVerb } from '../../core/contracts/provider.ts'
import type { ResolvedFacility, ResolvedFile } from '../../core/model/resolved-facility.ts'
import { makesWay } from '../../core/plan/start-blocker.ts'
import type { Step } from '../../core/plan/step.ts'
import { bringsUp } from '../../core/plan/step-builder.ts'
import { ReeveError } from '../../core/reeve-error.ts'
import { createBatcher, type Perform } from './batcher.ts'
import type { Lane } from './lane.ts'

/** Effect of a step on the host: on a file, or through the supervisor's provider. */
export interface StepAction {
  /** Throws if the policy forbids the step, or if the facility is certain not to start on the host as it is now. */
  expectAllowed(lane: Lane, step: Step): void
  /** Throws the error of a failed step. */
  perform(lane: Lane, step: Step): Promise<void>
}

export interface StepActionOptions {
  /** Hands a batch to the supervisor's provider. */
  perform: Perform
  /** Throws if the policy forbids the step on the host as it is now. */
  expectAllowed?(target: ResolvedFacility, step: Step): void
  /** Throws if the facility is certain not to start on the host as it is now. */
  expectStartable?(target: ResolvedFacility): void
  writeFile(file: ResolvedFile, facility: ResolvedFacility['facility']): Promise<void>
  removeFile(path: string): Promise<void>
  /** Restores the file as it was before its adoption. */
  restoreFile(path: string): Promise<void>
}

export function createStepAction(options: StepActionOptions): StepAction {
  const batcher = createBatcher(options.perform)

  function act({ work, signal, waitsFor }: Lane, { id, target }: Step, verb: ServiceVerb): Promise<ActionResult> {
    const { supervisor, service } = target ?? work.plan
    const definition = verb === 'install' ? work.target?.definition : undefined
    const startsJob = verb === 'start' && work.startsJob
    const action = { id, verb, service, signal, waits: waitsFor }
    return batcher.perform(supervisor, {
      ...action,
      ...(definition && { definition }),
      ...(startsJob && { startsJob }),
    })
  }

  return {
    expectAllowed({ work: { plan, target } }, step) {
      if (target && !step.target) options.expectAllowed?.(target, step)
      if (target && makesWay(step, plan.steps)) options.expectStartable?.(target)
    },
    async perform(lane, step) {
      const { target } = lane.work
      const { verb, path = '' } = step
      if (verb === 'write-file') {
        const file = target?.files.find(candidate => candidate.path === path)
        if (!target || !file) throw new ReeveError('internal', `${step.id} names a file that the facility doesn't have`)
        return options.writeFile(file, target.facility)
      }
      if (verb === 'remove-file') return options.removeFile(path)
      if (verb === 'restore-file') return options.restoreFile(path)
      const result = await act(lane, step, verb)
      if (!result.ok) throw explainStart(result.error, step, target)
    },
  }
}

/** Adds known problems of the start to its error, unless the supervisor has named them. */
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
