import { locationKey, type OwnedLocation, type Snapshot } from '../state/snapshot.ts'
import type { FacilityPlan, Step } from './step.ts'

/**
 * Stops what runs of these, each after those that depend on it. `isOrdered`: false stops all at once, whatever became of others.
 * Jobs that have ended stay as they are: a stop would have them done again.
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
