import type { FacilityStatus, OtherPlace, Status } from '../../core/contracts/status.ts'
import type { Facility } from '../../core/model/facility.ts'
import { type Condition, conditionsOf } from '../../core/reconcile/conditions.ts'
import { reportUnwritable, type Unwritable } from '../../core/state/unwritable.ts'
import { diagnosticLine } from '../../manifest/diagnostics/diagnostic-text.ts'
import {
  createElsewhere,
  findPending,
  findUndeclared,
  makeFacilityStatus,
  type StatusFacts,
} from '../control/status-report.ts'
import type { Executor } from '../execution/executor.ts'
import type { HealthTracker } from '../health/health-tracker.ts'
import { findUnwritable } from '../refresh/refresh.ts'
import type { BackoffTracker } from './backoff-tracker.ts'
import type { ReconcileState } from './reconcile-store.ts'
import type { UndoingGuard } from './undoing.ts'

/** What the status of facilities is made from. */
export interface StatusGround {
  readonly state: ReconcileState
  readonly executor: Pick<Executor, 'activity'>
  readonly tracker: Pick<HealthTracker, 'observed' | 'health' | 'readiness'>
  readonly retries: Pick<BackoffTracker, 'failures'>
  readonly undoings: Pick<UndoingGuard, 'undoneByOthers'>
  /** The host is in report mode: no planned step is carried out. */
  readonly isReporting: boolean
}

/** Facts about the controller as a whole. */
export interface ControllerFacts {
  readonly owner: string
  readonly suspended: ReadonlySet<string>
  readonly unwritable: readonly Unwritable[]
  readonly atBoot: string | undefined
  readonly pid: number
  /** Start of the controller, ISO 8601. */
  readonly since: string
}

/** Status from the present state, which it doesn't change: a condition lasts from when the store learned of it. `now` in ms since 1970. */
export function viewStatus(ground: StatusGround, facts: ControllerFacts, now: number): Status {
  const { isReporting, state } = ground
  const { seen } = state
  const { owner, suspended, atBoot, pid, since } = facts
  const facilities = [...state.facilities.values()]
  const elsewhere = seen ? createElsewhere(seen.snapshot, owner) : () => []
  const declared = facilities.map(facility => viewFacility(facility, ground, elsewhere(facility), now))
  const rest = seen ? findUndeclared(seen.snapshot, owner, facilities, suspended) : []
  const undeclared = isReporting ? rest.map(one => ({ ...one, ...findPending(state.leaving.get(one.name)) })) : rest
  const all = [...declared, ...undeclared.map(one => makeFacilityStatus(one, [], now))]
  const unwritable = [...reportUnwritable(facts.unwritable), ...findUnwritable(seen?.availability ?? new Map())]
  return {
    facilities: all.sort((a, b) => (a.name < b.name ? -1 : 1)),
    ...(unwritable.length > 0 && { unwritable }),
    ...(atBoot !== undefined && { atBoot }),
    controller: { pid, since, lastPass: state.lastPass, problems: findProblems(state) },
  }
}

/** Conditions of the facility, each with the time since when it holds. */
export function viewConditions(facility: Facility, ground: StatusGround, now: number): Condition[] {
  const before = ground.state.conditions.get(facility.name) ?? []
  return conditionsOf(findFacts(facility, ground), before, new Date(now).toISOString())
}

function viewFacility(
  facility: Facility,
  ground: StatusGround,
  elsewhere: readonly OtherPlace[],
  now: number,
): FacilityStatus {
  const before = ground.state.conditions.get(facility.name) ?? []
  return makeFacilityStatus({ ...findFacts(facility, ground), elsewhere }, before, now)
}

function findFacts({ name, supervisor, service, digest, suspend }: Facility, ground: StatusGround): StatusFacts {
  const { executor, isReporting, retries, state, tracker, undoings } = ground
  const { count: failures, message, isUndone } = retries.failures(name, digest)
  const undone = undoings.undoneByOthers(name)
  const activity = executor.activity(name)
  const plan = state.plans.get(name)
  const { blocked, withheld } = plan ?? {}
  return {
    name,
    supervisor,
    service,
    observed: tracker.observed(name),
    health: tracker.health(name),
    readiness: tracker.readiness(name),
    suspended: suspend,
    failures,
    ...(blocked === undefined ? {} : { blocked }),
    ...(activity === undefined ? {} : { underWay: activity }),
    // Other steps are under way, or wait for their next try.
    ...((withheld || isReporting || state.outOfTurn.has(name)) && findPending(plan)),
    ...(message === undefined ? {} : { lastError: message }),
    ...(isUndone && { isUndone }),
    ...(undone === undefined ? {} : { undone }),
  }
}

function findProblems(state: ReconcileState): string[] {
  const { guardProblem, seen, set } = state
  const wanted = namesOfWanted(state)
  const unavailable = [...(seen?.snapshot.unavailable ?? [])].filter(([name]) => wanted.has(name))
  return [
    ...(set?.diagnostics ?? []).map(diagnosticLine),
    ...(guardProblem === undefined ? [] : [guardProblem]),
    ...unavailable.map(([name, reason]) => `supervisor ${name} is unavailable: ${reason}`),
  ]
}

/** Supervisors that are declared, named by facilities, or hold something. Others may be missing from this host. */
function namesOfWanted({ facilities, record, set }: ReconcileState): Set<string> {
  const used = [...facilities.values()].map(facility => facility.supervisor)
  return new Set([...used, ...(set?.supervisors ?? []).map(({ name }) => name), ...record.instances.keys()])
}
