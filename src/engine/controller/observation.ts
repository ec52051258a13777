import type { Facility } from '../../core/model/facility.ts'
import type { ResolvedFacility } from '../../core/model/resolved-facility.ts'
import { type Observed, unknownService } from '../../core/state/observed.ts'
import { type Location, locationKey } from '../../core/state/snapshot.ts'
import type { Execution } from '../execution/execution.ts'
import { refreshFor } from '../refresh/plan-run.ts'
import type { Refresh } from '../refresh/refresh.ts'
import { findOtherPlaces } from '../refresh/snapshot-patch.ts'
import type { Session } from '../session/session.ts'
import type { Due } from './reconcile-queue.ts'
import type { ReconcileState } from './reconcile-store.ts'
import { type RestartWatch, tellRestart } from './restart-watch.ts'

/** Refreshes the host's snapshot, and passes on how each facility is. */
export interface Observation {
  /** Observes what is due, for a pass. */
  refresh(due: Due): Promise<PassRefresh>
  /** Observes these facilities and services only, and patches the last snapshot. */
  refreshSome(facilities: readonly Facility[], also?: readonly Location[]): Promise<Refresh>
  /** Observes the facility, so that its status is the present one. */
  observeAgain(facility: Facility): Promise<void>
}

export interface PassRefresh {
  /** Snapshot of the whole host, with all facilities that aren't busy as targets: a plan is made from it. */
  readonly refresh: Refresh
  /** Targets that were observed and resolved just now. */
  readonly fresh: readonly ResolvedFacility[]
  /** Declared facilities without a target, as they are busy. */
  readonly busy: readonly Facility[]
  /** Begin of the refresh, by `Clock.elapsed`. */
  readonly began: number
  /** Facilities that had a lane when the refresh began. */
  readonly wasBusy: ReadonlySet<string>
}

export interface ObservationGround {
  readonly state: ReconcileState
  readonly execution: Pick<Execution, 'executor' | 'history' | 'keepRuns' | 'tracker'>
  readonly restarts: RestartWatch
}

export function createObservation(session: Session, { state, execution, restarts }: ObservationGround): Observation {
  const { clock, log } = session
  const { executor, history, tracker } = execution
  const hanging = new Set<string>()

  const isFree = ({ name }: Facility): boolean => !executor.isBusy(name)

  function observe(
    facilities: readonly Facility[],
    also: readonly Location[],
    base: ReconcileState['seen'],
  ): Promise<Refresh> {
    const { facilities: all, instances, record } = state
    const places = base ? findOtherPlaces(facilities, base.snapshot, record.applied) : []
    const declared = [...all.values()]
    return refreshFor(session, { instances, facilities, declared, also: [...places, ...also], base, hanging })
  }

  /** Snapshot that a pass can patch. Undefined: everything is to be observed, also because a supervisor that is due was unavailable. */
  function findBase(due: Due): ReconcileState['seen'] {
    const { facilities, seen } = state
    if (due.full || !seen) return undefined
    const isKnown = (name: string): boolean => {
      const { supervisor = '' } = facilities.get(name) ?? {}
      return !seen.snapshot.unavailable.has(supervisor)
    }
    return [...due.facilities].every(isKnown) ? seen : undefined
  }

  /** Targets of a plan, with facilities as declared now: one may have been suspended since it was resolved. */
  function targetsOf(fresh: readonly ResolvedFacility[]): ResolvedFacility[] {
    const found = new Map([...state.resolved, ...fresh.map(target => [target.facility.name, target] as const)])
    return [...state.facilities.values()].filter(isFree).flatMap(facility => {
      const target = found.get(facility.name)
      return target ? { ...target, facility } : []
    })
  }

  function note(facilities: readonly Facility[], { snapshot }: Refresh, lookedAt: number): void {
    for (const facility of facilities) {
      const reason = snapshot.unavailable.get(facility.supervisor)
      const observed = snapshot.services.get(locationKey(facility))
      if (observed) noteObserved(facility, observed, lookedAt)
      else if (reason !== undefined) tracker.update(facility.name, unknownService(facility.service, reason), lookedAt)
    }
  }

  function noteObserved(facility: Facility, observed: Observed, lookedAt: number): void {
    const { name } = facility
    tracker.update(name, observed, lookedAt)
    if (executor.isBusy(name)) return
    const restart = restarts.seen(name, observed, lookedAt)
    if (restart) tellRestart(facility, restart, { clock, log, history })
  }

  const refreshSome: Observation['refreshSome'] = (facilities, also = []) => observe(facilities, also, state.seen)

  return {
    async refresh(due) {
      const [lookedAt, began] = [clock.now(), clock.elapsed()]
      const wasBusy = new Set(state.lanes.keys())
      const base = findBase(due)
      const isDue = ({ name }: Facility): boolean => !base || due.facilities.has(name)
      const all = [...state.facilities.values()]
      const free = all.filter(isFree).filter(facility => isDue(facility) || !state.resolved.has(facility.name))
      // Busy facilities are observed for status only.
      const waiting = all.filter(facility => !isFree(facility) && isDue(facility))
      const found = await observe(free, waiting, base)
      await execution.keepRuns(free, found.snapshot)
      // A manual action may have begun meanwhile.
      const fresh = found.targets.filter(({ facility }) => isFree(facility))
      note([...fresh.map(({ facility }) => facility), ...waiting], found, lookedAt)
      const targets = targetsOf(fresh)
      const planned = new Set(targets.map(({ facility }) => facility.name))
      const busy = all.filter(({ name }) => !planned.has(name))
      return { refresh: { ...found, targets }, fresh, busy, began, wasBusy }
    },
    refreshSome,
    async observeAgain(facility) {
      const lookedAt = clock.now()
      note([facility], await refreshSome([facility]), lookedAt)
    },
  }
}
