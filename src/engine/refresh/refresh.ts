import type { ReadHost } from '../../core/contracts/host.ts'
import type { Availability } from '../../core/contracts/provider.ts'
import type { Facility } from '../../core/model/facility.ts'
import type { ResolvedFacility } from '../../core/model/resolved-facility.ts'
import { takesName } from '../../core/model/service-name.ts'
import { describeTakenPort } from '../../core/plan/taken-port.ts'
import { messageOf } from '../../core/reeve-error.ts'
import { definitionDiffers } from '../../core/state/comparison.ts'
import type { Observed, OwnedService } from '../../core/state/observed.ts'
import {
  type Location,
  locationKey,
  type OwnedLocation,
  ownedLocation,
  type Snapshot,
} from '../../core/state/snapshot.ts'
import { reportUnwritable, type UnwritableReport } from '../../core/state/unwritable.ts'
import { compareText } from '../../core/text/text-order.ts'
import type { Clock } from '../../host/clock.ts'
import { createPortLook } from '../health/taken-port.ts'
import { findControllers } from '../session/controller-service.ts'
import type { BoundInstance } from '../session/supervisor-instances.ts'
import { observeAdoptables } from './adoptable-refresh.ts'
import { checkDefinitions } from './definition-check.ts'
import { resolveFacility } from './facility-resolution.ts'
import { observeFiles } from './file-refresh.ts'
import { findPlaces } from './place-refresh.ts'
import type { PolicyCheck } from './policy-check.ts'
import { withinSurvey } from './refresh-limit.ts'
import { relateServices } from './relations.ts'
import { rememberPaths } from './remembering-host.ts'
import { patchSnapshot } from './snapshot-patch.ts'
import { withHindrance } from './start-problems.ts'

/** Result of observing the host, by handles that can't write. */
export interface Refresh {
  readonly snapshot: Snapshot
  /** Requested facilities, resolved for this host. */
  readonly targets: readonly ResolvedFacility[]
  /** Availability of the supervisors that facilities name, or that hold something. */
  readonly availability: ReadonlyMap<string, Availability>
}

export interface RefreshOptions {
  readonly instances: ReadonlyMap<string, BoundInstance>
  readonly facilities: readonly Facility[]
  readonly owner: string
  /** Of the newest accepted revision, for markers. Undefined: there is no source. */
  readonly mark?: string | undefined
  readonly host: ReadHost
  /** All declared facilities, if these are more than `facilities`: what one needs may be a file of another. */
  readonly declared?: readonly Facility[]
  /**
   * Snapshot to patch: only `facilities` and `also` are observed, and everything else is taken from it. Absent: all owned services
   * are observed too, under every supervisor.
   */
  readonly base?: Pick<Refresh, 'snapshot' | 'availability'> | undefined
  /** Services to observe besides those of the facilities. */
  readonly also?: readonly Location[]
  readonly clock: Clock
  /** Asks the host's policy. Absent: it allows everything. */
  readonly checkPolicy?: PolicyCheck
  /** Process of the running controller of this state directory, if there is one. */
  readonly controller?: number | undefined
  /** Instances that haven't answered an earlier refresh yet, and aren't asked again until then. For repeated refreshes. */
  readonly hanging?: Set<string>
}

export async function refreshHost(options: RefreshOptions): Promise<Refresh> {
  const { base, facilities, instances } = options
  const host = rememberPaths(options.host)
  const services = new Map<string, Observed>()
  const unavailable = new Map<string, string>()
  const availability = new Map<string, Availability>()
  const listings = new Map<string, readonly OwnedService[]>()
  const named = new Map<string, Set<string>>()
  for (const { supervisor, service } of [...facilities, ...(options.also ?? [])]) {
    const names = named.get(supervisor)
    if (names) names.add(service)
    else named.set(supervisor, new Set([service]))
  }

  async function refreshInstance(name: string, { provider, observer }: BoundInstance): Promise<void> {
    // Most hosts have one of the supervisors that Reeve knows: one that holds nothing isn't asked for more.
    const first = named.has(name) ? undefined : await observer.list()
    if (first?.length === 0) return
    const found = await observer.probe()
    if (!found.available) {
      markUnavailable(name, found.reason)
      return
    }
    const listed = base ? [] : (first ?? (await observer.list()))
    const wanted = [...(named.get(name) ?? [])].filter(service => takesName(provider, service))
    const names = new Set([...wanted, ...listed.map(({ service }) => service)])
    const observed = await observer.observe([...names])
    if (unavailable.has(name)) return // it came too late
    availability.set(name, found)
    for (const [service, one] of observed) services.set(locationKey({ supervisor: name, service }), one)
    listings.set(name, listed)
  }

  function markUnavailable(name: string, reason: string): void {
    unavailable.set(name, reason)
    availability.set(name, { available: false, reason })
  }

  /** A supervisor that fails or hangs counts as unavailable, and doesn't keep Reeve from the others. */
  async function tryRefreshInstance(name: string, bound: BoundInstance): Promise<void> {
    if (options.hanging?.has(name)) return markUnavailable(name, 'it has not answered yet')
    let isOver = false
    const refresh = refreshInstance(name, bound).finally(() => {
      isOver = true
      options.hanging?.delete(name)
    })
    try {
      await withinSurvey(refresh, options.clock)
    } catch (error) {
      if (!isOver) options.hanging?.add(name)
      markUnavailable(name, messageOf(error))
    }
  }

  const asked = [...instances].filter(([name]) => !base || named.has(name))
  await Promise.all(asked.map(([name, bound]) => tryRefreshInstance(name, bound)))
  // In the order of the instances, whichever answers first.
  const listed = asked.flatMap(([name]) => (listings.get(name) ?? []).map(entry => ownedLocation(name, entry)))
  if (base) {
    for (const [key, { ownership, service }] of services) {
      if (ownership) listed.push({ supervisor: key.slice(0, key.indexOf('/')), service, ownership })
    }
  }
  const declared = new Map((options.declared ?? facilities).map(facility => [facility.name, facility]))
  const findTakenPort = createPortLook(new Map([...(base?.snapshot.services ?? []), ...services]), host)
  const makeOne = (facility: Facility): ResolvedFacility => {
    const observed = services.get(locationKey(facility))
    const takenPort = findTakenPort(facility, observed)
    const bound = instances.get(facility.supervisor)
    const found = availability.get(facility.supervisor)
    const lacks = found?.available ? found.lacks : undefined
    const target = resolveFacility(facility, {
      bound,
      host,
      owner: options.owner,
      mark: options.mark,
      ...(lacks ? { lacks } : {}),
      ...(options.checkPolicy ? { checkPolicy: options.checkPolicy } : {}),
      observed,
      declared,
    })
    return takenPort ? { ...target, takenPort } : target
  }
  const targets = facilities.map(makeOne)
  await observeAdoptables(targets, services, options)
  for (const { facility, startProblems = [], takenPort } of targets) {
    const key = locationKey(facility)
    const one = services.get(key)
    const problems = [...startProblems, ...(takenPort ? [describeTakenPort(takenPort, facility.name)] : [])]
    if (one) services.set(key, withHindrance(one, facility, problems))
  }
  const ours = listed.filter(({ ownership }) => ownership.owner === options.owner)
  const known = { services, owned: ours }
  const files = observeFiles(targets, known, host)
  const places = findPlaces(targets, known, host)
  const isChanged = (target: ResolvedFacility): boolean => {
    const observed = services.get(locationKey(target.facility))
    return observed !== undefined && observed.state !== 'unknown' && definitionDiffers(target, observed, { files })
  }
  const limited = <T>(asked: Promise<T>): Promise<T> => withinSurvey(asked, options.clock)
  // Between two full snapshots, the manifests are the same, and so are the relations they declare.
  const relations: Pick<Snapshot, 'ties' | 'formerTies'> = base
    ? {}
    : await relateServices({
        instances,
        targets,
        changed: targets.filter(isChanged).map(({ facility }) => facility),
        leaving: findLeaving(listed, options),
        services,
        unavailable,
        limited,
        failed: markUnavailable,
      })
  const owned = listed.filter(({ supervisor }) => !unavailable.has(supervisor))
  const controllers = findControllers(options, { services, owned, unavailable })
  const snapshot = { services, owned, unavailable, files, places, controllers, ...relations }
  const checked = await checkDefinitions(targets, { instances, isChanged, limited })
  if (!base) return { snapshot, targets: checked, availability }
  return {
    snapshot: patchSnapshot(base.snapshot, snapshot, availability),
    targets: checked,
    availability: new Map([...base.availability, ...availability]),
  }
}

/** Owned services that no facility declares. None if nothing is declared: then nobody can mean them. */
function findLeaving(
  listed: readonly OwnedLocation[],
  { facilities, declared = facilities, owner }: RefreshOptions,
): OwnedLocation[] {
  if (declared.length === 0) return []
  const claimed = new Set(declared.map(locationKey))
  return listed.filter(location => location.ownership.owner === owner && !claimed.has(locationKey(location)))
}

/** Places that supervisors cannot write to. */
export function findUnwritable(availability: Refresh['availability']): UnwritableReport[] {
  return [...availability]
    .flatMap(([name, found]) => (found.available ? reportUnwritable(found.unwritable ?? [], name) : []))
    .sort((left, right) => compareText(left.path, right.path))
}
