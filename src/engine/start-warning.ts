import type { Facility } from '../core/facility.ts'
import { isServing } from '../core/start-obstacle.ts'
import type { Diagnostic, Plan } from '../core/step.ts'
import { locationKey } from '../core/world.ts'
import type { Survey } from './survey.ts'

/** Of facilities that are to run, and don't, and whose start is certain to fail on this host. Of blocked ones the plan says more. */
export function warnOfStarts({ facilities }: Plan, { targets, world }: Survey): Diagnostic[] {
  const blocked = new Set(facilities.flatMap(({ name, blocked }) => (blocked === undefined ? [] : name)))
  return targets.flatMap(({ facility, startProblems }) => {
    if (startProblems === undefined || facility.suspend || facility.state !== 'running') return []
    const observed = world.services.get(locationKey(facility))
    if (blocked.has(facility.name) || isServing(observed) || observed?.completed) return []
    return startWarning(facility, startProblems)
  })
}

export function startWarning({ name, position }: Facility, problems: readonly string[]): Diagnostic {
  const message = `facility ${name} can not start on this host: ${problems.join('; ')}`
  return { ...position, severity: 'warning', code: 'cannot-start', message }
}
