import type { Facility } from '../../core/model/facility.ts'
import { type Observed, unknownService } from '../../core/state/observed.ts'
import { type Location, locationKey } from '../../core/state/snapshot.ts'
import type { Execution } from '../execution/execution.ts'
import { createPolicyCheck } from '../refresh/policy-check.ts'
import { type Refresh, refreshHost } from '../refresh/refresh.ts'
import { findOtherPlaces, mergeRefreshes } from '../refresh/refresh-scope.ts'
import type { Session } from '../session/session.ts'
import { findController } from '../session/writer-lock.ts'
import type { ReconcileState } from './reconcile-store.ts'
import { type RestartWatch, tellRestart } from './restart-watch.ts'

/** Looks at the host, and has those told who follow how each facility is. */
export interface Observation {
  /** At everything, or at these facilities only, with all else as it was seen last. `also` is observed, and nothing more. */
  look(free: readonly Facility[], full: boolean, also?: readonly Location[]): Promise<Refresh>
  /** What a look that began at `lookedAt` (ms since 1970) has found of these. */
  note(looked: readonly Facility[], refresh: Pick<Refresh, 'snapshot'>, lookedAt: number): void
}

export interface ObservationGround {
  readonly state: ReconcileState
  readonly execution: Pick<Execution, 'executor' | 'history' | 'tracker'>
  readonly restarts: RestartWatch
}

export function createObservation(session: Session, { state, execution, restarts }: ObservationGround): Observation {
  const { clock, configuration, log, readHost } = session
  const { executor, history, tracker } = execution
  const hanging = new Set<string>()

  function noteObserved(facility: Facility, observed: Observed, lookedAt: number): void {
    const { name } = facility
    tracker.update(name, observed, lookedAt)
    if (executor.isBusy(name)) return
    const restart = restarts.seen(name, observed, lookedAt)
    if (restart) tellRestart(facility, restart, { clock, log, history })
  }

  return {
    async look(free, full, also = []) {
      const base = {
        instances: state.instances,
        facilities: free,
        declared: [...state.facilities.values()],
        owner: configuration.owner,
        host: readHost,
        clock,
        hanging,
        checkPolicy: createPolicyCheck(session),
        controller: findController(session),
      }
      const { seen } = state
      if (full || !seen) return refreshHost({ ...base, full: true, also })
      const places = findOtherPlaces(free, seen.snapshot, state.record.applied)
      const known = seen.snapshot.services
      return mergeRefreshes(seen, await refreshHost({ ...base, full: false, known, also: [...places, ...also] }))
    },
    note(looked, { snapshot }, lookedAt) {
      for (const facility of looked) {
        const reason = snapshot.unavailable.get(facility.supervisor)
        const observed = snapshot.services.get(locationKey(facility))
        if (observed) noteObserved(facility, observed, lookedAt)
        else if (reason !== undefined) tracker.update(facility.name, unknownService(facility.service, reason), lookedAt)
      }
    },
  }
}
