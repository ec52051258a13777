import type { Facility } from '../core/facility.ts'
import { isCompleted } from '../core/readiness.ts'
import { isServing } from '../core/start-obstacle.ts'
import type { Diagnostic, Plan } from '../core/step.ts'
import { findPortProblem } from '../core/taken-port.ts'
import { locationKey } from '../core/world.ts'
import type { Survey } from './survey.ts'
import { sha256 } from './targets.ts'

/** Of facilities that are to run, and don't: what keeps them from it on this host. Of blocked ones the plan says more. */
export function warnOfStarts({ facilities }: Plan, { targets, world }: Survey): Diagnostic[] {
  const owned = new Map(world.owned.map(location => [locationKey(location), location]))
  const blocked = new Set(facilities.flatMap(({ name, blocked }) => (blocked === undefined ? [] : name)))
  return targets.flatMap(target => {
    const { facility, startProblems } = target
    if (facility.suspend || facility.state !== 'running' || blocked.has(facility.name)) return []
    const observed = world.services.get(locationKey(facility))
    if (!observed || isServing(observed) || isCompleted(facility, observed)) return []
    if (startProblems) return startWarning(facility, startProblems)
    const port = findPortProblem(target, facilities, { owned, targets }, sha256)
    return port === undefined
      ? []
      : warning(facility, `facility ${facility.name} may not get ready on this host: ${port}`)
  })
}

/** Of one that is certain not to start. */
export function startWarning(facility: Facility, problems: readonly string[]): Diagnostic {
  return warning(facility, `facility ${facility.name} can not start on this host: ${problems.join('; ')}`)
}

function warning({ position }: Facility, message: string): Diagnostic {
  return { ...position, severity: 'warning', code: 'cannot-start', message }
}
