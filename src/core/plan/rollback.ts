import type { ResolvedFacility } from '../model/resolved-facility.ts'
import { locationKey } from '../state/snapshot.ts'
import type { FacilityPlan, Rollback, Step } from './step.ts'
import { bringsUp } from './step-builder.ts'

/**
 * Rollback of a move (E14): the old service runs again, alone, also after a boot. Undefined if the plan is no move, or the
 * facility isn't declared running. An earlier attempt that was cut off may have stopped the old service: then the plan only has
 * its removal.
 */
export function planRollback(
  { name, steps }: Pick<FacilityPlan, 'name' | 'steps'>,
  target: ResolvedFacility | undefined,
): Rollback | undefined {
  const to = steps.find(step => step.verb === 'remove' && step.reason === 'moved')?.target
  const from = steps.find(step => step.target !== undefined || bringsUp(step))
  if (!to || !from || target?.facility.state !== 'running') return undefined
  const stop: Step = { id: `${name}/stop`, verb: 'stop', reason: 'put-back', needs: [] }
  const disable: Step = { id: `${name}/disable`, verb: 'disable', reason: 'put-back', needs: [stop.id] }
  const ended = target.facility.enabled === true ? [stop, disable] : [stop]
  const id = `${name}/start@${locationKey(to)}`
  const start: Step = { id, verb: 'start', reason: 'put-back', needs: ended.slice(-1).map(last => last.id), target: to }
  return { to, from: from.id, steps: [...ended, start] }
}

/** Rollback if this step of the plan has failed; undefined before `from`, where the old service is untouched. */
export function rollbackAfter({ steps, rollback }: FacilityPlan, failed: Step): Rollback | undefined {
  const begins = steps.findIndex(({ id }) => id === rollback?.from)
  return steps.indexOf(failed) < begins ? undefined : rollback
}
