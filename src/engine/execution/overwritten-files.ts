import type { ResolvedFacility, ResolvedFile } from '../../core/model/resolved-facility.ts'
import type { FacilityPlan, Step } from '../../core/plan/step.ts'
import { bringsUp, createStepBuilder } from '../../core/plan/step-builder.ts'
import { ReeveError } from '../../core/reeve-error.ts'

/**
 * Files that a program overwrites as it ends, so that a restart brings the old content back. As that is unknown before, it is
 * checked after each restart and stop, and the file is then written while nothing runs. Plans don't do so from the start: a
 * supervisor's restart is one transaction, and a file that cannot be written must not leave a healthy service stopped.
 */

/** Steps after a restart that left these files overwritten: stop, write, start. */
export function planRewrite(plan: FacilityPlan, files: readonly ResolvedFile[]): readonly Step[] {
  const chain = createStepBuilder(plan.name)
  chain.add('stop', 'overwritten')
  for (const { path } of files) chain.add('write-file', 'overwritten', { path })
  chain.add('start', 'overwritten')
  return chain.steps
}

/** Steps after the last stop if no start follows: nothing runs that could overwrite the files again. */
export function planRestore(plan: FacilityPlan, files: readonly ResolvedFile[]): readonly Step[] {
  return planRewrite(plan, files).filter(({ verb }) => verb === 'write-file')
}

/** Whether the service stays stopped after this step. */
export function isLastStop({ steps }: FacilityPlan, step: Step): boolean {
  return isStop(step) && !steps.slice(steps.indexOf(step) + 1).some(other => bringsUp(other) || isStop(other))
}

/** Whether a process was stopped before this start that may have overwritten the files. */
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
