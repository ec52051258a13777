import { locationKey, type OwnedLocation, type Snapshot } from '../state/snapshot.ts'
import type { FacilityPlan, Step } from './step.ts'

/**
 * Plans that stop the running ones of these services, dependents first. `isOrdered`: false stops all at once. Completed jobs are left
 * alone: a stop would have them run again.
 */
export function planStops(owned: readonly OwnedLocation[], snapshot: Snapshot, isOrdered: boolean): FacilityPlan[] {
  const running = owned.filter(location => {
    const state = snapshot.services.get(locationKey(location))?.state
    return state === 'running' || state === 'starting' || state === 'stopping'
  })
  const idOf = ({ ownership, supervisor, service }: OwnedLocation): string =>
    `${ownership.facility}/stop@${supervisor}:${service}`
  const stepOf = (location: OwnedLocation): Step => {
    const { facility } = location.ownership
    const dependents = running.filter(other => other !== location && other.ownership.dependsOn.includes(facility))
    return { id: idOf(location), verb: 'stop', reason: 'requested', needs: isOrdered ? dependents.map(idOf) : [] }
  }
  return running.map(location => {
    const { supervisor, service, ownership } = location
    return { name: ownership.facility, supervisor, service, change: 'change', steps: [stepOf(location)] }
  })
}
