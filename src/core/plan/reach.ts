import type { Facility } from '../model/facility.ts'
import type { ResolvedFacility } from '../model/resolved-facility.ts'
import { findServiceRefusal } from '../policy/policy.ts'
import type { Observed } from '../state/observed.ts'
import { locationKey } from '../state/snapshot.ts'
import type { PlanContext } from './plan-input.ts'

/**
 * Why the facility must not affect its service, or other services that its definition names. Undefined if it may:
 *
 *   Reeve's controller                         → never, whatever the policy
 *   written by Reeve as a whole                → as the rest of the policy allows
 *   adopted, added to, or there already        → `policy.services`
 *   named by the definition                    → `policy.services`, or written by Reeve as a whole
 */
export function findReachProblem(
  target: ResolvedFacility,
  observed: Observed | undefined,
  context: PlanContext,
): string | undefined {
  const { facility, definition } = target
  const touches = definition?.touches ?? []
  // The controller itself is no facility of a manifest.
  if (isController(context.owner)) return undefined
  if (isControllersOwn(target, observed, context)) {
    return `service ${facility.service} runs Reeve's own controller, which no manifest may change: choose another serviceName, or use reeve install and reeve uninstall`
  }
  const own = touches.find(name => namesOfControllers(context).has(name))
  if (own !== undefined) {
    return `its definition names service ${own}, which runs Reeve's own controller and which no manifest may have to do with: take that out`
  }
  const { policy = {} } = context
  if (definition?.isAddition) {
    const refused = findServiceRefusal(facility, `add to service ${facility.service}`, facility.service, policy)
    if (refused !== undefined) return refused
  }
  for (const name of touches) {
    if (isWrittenByReeve(name, target, context)) continue
    const what = `have a definition that names service ${name}, which Reeve doesn't define`
    const refused = findServiceRefusal(facility, what, name, policy)
    if (refused !== undefined) return refused
  }
  return undefined
}

/** End of the owner in the marker of a controller's service; owners of host configurations cannot end so. */
export function isController(owner: string): boolean {
  return owner.endsWith('/controller')
}

function isControllersOwn(
  { facility }: ResolvedFacility,
  observed: Observed | undefined,
  { snapshot }: PlanContext,
): boolean {
  if (observed?.ownership !== undefined && isController(observed.ownership.owner)) return true
  const key = locationKey(facility)
  return (snapshot.controllers ?? []).some(location => locationKey(location) === key)
}

/** Under any supervisor: two instances of one type may share their names. */
function namesOfControllers({ snapshot }: PlanContext): ReadonlySet<string> {
  const owned = snapshot.owned.filter(({ ownership }) => isController(ownership.owner))
  return new Set([...owned, ...(snapshot.controllers ?? [])].map(({ service }) => service))
}

/** Whether Reeve writes the whole service: by its marker, or if no service of that name exists yet. */
function isWrittenByReeve(service: string, { facility }: ResolvedFacility, context: PlanContext): boolean {
  const key = locationKey({ supervisor: facility.supervisor, service })
  const owned = context.owned.get(key)
  if (owned !== undefined) return owned.ownership.isAddition !== true
  if (context.snapshot.services.get(key)?.state !== 'absent') return false
  const isWhole = (declared: Facility): boolean =>
    locationKey(declared) === key && declared.process !== undefined && !declared.adopt
  return context.targets.some(target => isWhole(target.facility)) || (context.busy ?? []).some(isWhole)
}
