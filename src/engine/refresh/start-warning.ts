import type { Diagnostic } from '../../core/model/diagnostic.ts'
import type { Facility } from '../../core/model/facility.ts'
import { isServing } from '../../core/plan/start-blocker.ts'
import type { Plan } from '../../core/plan/step.ts'
import { findPortProblem } from '../../core/plan/taken-port.ts'
import { isCompleted } from '../../core/state/readiness.ts'
import { locationKey } from '../../core/state/snapshot.ts'
import { sha256 } from '../../host/sha256.ts'
import type { Refresh } from './refresh.ts'

/** Warns of what keeps facilities from running on this host. Blocked ones are left out, as the plan says more. */
export function warnOfStarts({ facilities }: Plan, { targets, snapshot }: Refresh): Diagnostic[] {
  const owned = new Map(snapshot.owned.map(location => [locationKey(location), location]))
  const blocked = new Set(facilities.flatMap(({ name, blocked }) => (blocked === undefined ? [] : name)))
  return targets.flatMap(target => {
    const { facility, startProblems } = target
    if (facility.suspend || facility.state !== 'running' || blocked.has(facility.name)) return []
    const observed = snapshot.services.get(locationKey(facility))
    if (!observed || isServing(observed) || isCompleted(facility, observed)) return []
    if (startProblems) return startWarning(facility, startProblems)
    const port = findPortProblem(target, facilities, { owned, targets }, sha256)
    return port === undefined
      ? []
      : warning(facility, `facility ${facility.name} may not get ready on this host: ${port}`)
  })
}

/** Warns of a start that is certain to fail. */
export function startWarning(facility: Facility, problems: readonly string[]): Diagnostic {
  return warning(facility, `facility ${facility.name} cannot start on this host: ${problems.join('; ')}`)
}

function warning({ position }: Facility, message: string): Diagnostic {
  return { ...position, severity: 'warning', code: 'cannot-start', message }
}
