import type { ResolvedFacility, ResolvedFile } from '../../core/model/resolved-facility.ts'
import type { FacilityPlan, Step } from '../../core/plan/step.ts'
import { bringsUp, createStepBuilder } from '../../core/plan/step-builder.ts'
import { ReeveError } from '../../core/reeve-error.ts'

/**
 * Programs that write their configuration as they end: write, restart, and the old content is back. That can't be known
 * before, so that it is looked for after each restart and each stop; then the file is written while nothing runs. A plan doesn't do so
 * from the start: a supervisor's restart is one transaction, and a file that can't be written must not leave a healthy
 * service stopped.
 */

/** The steps that follow a restart after which these files aren't as declared: stop, write, start. */
export function planRewrite(plan: FacilityPlan, files: readonly ResolvedFile[]): readonly Step[] {
  const chain = createStepBuilder(plan.name)
  chain.add('stop', 'overwritten')
  for (const { path } of files) chain.add('write-file', 'overwritten', { path })
  chain.add('start', 'overwritten')
  return chain.steps
}

/** The steps that follow the last stop, if no start does: nothing runs that could write them again. */
export function planRestore(plan: FacilityPlan, files: readonly ResolvedFile[]): readonly Step[] {
  return planRewrite(plan, files).filter(({ verb }) => verb === 'write-file')
}

/** Whether what the lane has stopped stays stopped. */
export function isLastStop({ steps }: FacilityPlan, step: Step): boolean {
  return isStop(step) && !steps.slice(steps.indexOf(step) + 1).some(other => bringsUp(other) || isStop(other))
}

/** Whether a process has ended in this lane that may have written the files of the one that is about to be started. */
export function followsStop({ steps }: FacilityPlan, start: Step): boolean {
  return start.verb === 'start' && bringsUp(start) && steps.slice(0, steps.indexOf(start)).some(isStop)
}

function isStop({ verb }: Step): boolean {
  return verb === 'stop'
}

export function overwrittenOnce({ facility }: ResolvedFacility, [file]: readonly ResolvedFile[]): ReeveError {
  const { name } = facility
  const path = file?.path ?? ''
  return new ReeveError(
    'failed',
    `${name} wrote ${path} as it ended, so that what is declared is lost. ` +
      `Stop ${name}, apply, and start it again; or take the file out of spec.files`,
  )
}

export function overwrittenAgain({ facility }: ResolvedFacility, [file]: readonly ResolvedFile[]): ReeveError {
  const path = file?.path ?? ''
  return new ReeveError(
    'failed',
    `${facility.name} writes ${path} itself, or another program does: written while ${facility.name} was stopped, it is not as ` +
      'declared again. Have the program leave it alone, or take the file out of spec.files',
  )
}
