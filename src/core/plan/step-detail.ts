import type { ResolvedFacility } from '../model/resolved-facility.ts'
import type { Observed } from '../state/observed.ts'
import type { Step } from './step.ts'

/**
 * Adds details to the reasons of steps: that a service keeps running while its definition is adopted or rewritten (E20), or why it
 * cannot.
 */
export function explainSteps(
  steps: readonly Step[],
  { definition }: Pick<ResolvedFacility, 'definition'>,
  observed: Observed,
): readonly Step[] {
  const isTouched = steps.some(({ verb, target }) => target === undefined && touching.has(verb))
  const goesOn = !isTouched && (observed.state === 'running' || observed.state === 'starting')
  const isAsDeclared = definition !== undefined && observed.loaded?.definition === definition.digest
  return steps.map(step => {
    const detail = findDetail(step)
    return detail === undefined ? step : { ...step, detail }
  })

  function findDetail({ verb, reason }: Step): string | undefined {
    const isAdopted = reason === 'adopted' || (reason === 'new' && definition?.isAddition === true)
    if (verb === 'install' && isAdopted && goesOn && isAsDeclared)
      return "adopt: writes Reeve's marker, the service goes on"
    if (verb === 'install' && observed.isEarlierForm) {
      return `an earlier version of Reeve wrote it${goesOn ? ', the service goes on' : ''}`
    }
    if ((verb === 'restart' || verb === 'reload') && isAdopted && observed.stale !== undefined) {
      return `to be adopted it has to be ${verb}ed: ${observed.stale}`
    }
    return undefined
  }
}

const touching: ReadonlySet<string> = new Set(['start', 'stop', 'restart', 'reload'])
