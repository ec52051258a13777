import type { Facility } from '../core/facility.ts'
import type { Observed, OwnedService } from '../core/observed.ts'
import type { Availability, ReadHost } from '../core/provider.ts'
import { messageOf, ReeveError } from '../core/reeve-error.ts'
import { takesName } from '../core/service-name.ts'
import type { Target } from '../core/target.ts'
import { type Location, locationKey, ownedLocation, type World } from '../core/world.ts'
import type { Clock } from '../host/clock.ts'
import { findControllers } from './controller-service.ts'
import { observeFiles } from './file-survey.ts'
import type { BoundInstance } from './instances.ts'
import type { PolicyCheck } from './policy-check.ts'
import { rememberPaths } from './remembering-host.ts'
import { makeTarget } from './targets.ts'

/** Looks at the host, through handles that can't write. */
export interface Survey {
  readonly world: World
  readonly targets: readonly Target[]
  /** Of the supervisors that facilities name, or that hold something. */
  readonly availability: ReadonlyMap<string, Availability>
}

export interface SurveyOptions {
  readonly instances: ReadonlyMap<string, BoundInstance>
  readonly facilities: readonly Facility[]
  readonly owner: string
  readonly host: ReadHost
  /**
   * True: looks also for all that is owned, under every supervisor. False: at these facilities only, for a quick look
   * between two full passes.
   */
  readonly full: boolean
  /** Services to look at besides those of the facilities. */
  readonly also?: readonly Location[]
  readonly clock: Clock
  /** What the host's policy says of facilities. Absent: it allows everything. */
  readonly checkPolicy?: PolicyCheck
  /** The process of the controller that works on this state directory, if there is one. */
  readonly controller?: number | undefined
  /** Instances that still owe the answer to an earlier look. For those who look again and again: it is not asked twice. */
  readonly hanging?: Set<string>
}

/** How long a supervisor may take to tell of all its services, in milliseconds. */
const SURVEY_LIMIT = 10_000

export async function surveyHost(options: SurveyOptions): Promise<Survey> {
  const { facilities, instances } = options
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

  async function surveyInstance(name: string, { instance, provider, readHost }: BoundInstance): Promise<void> {
    const list = (): Promise<OwnedService[]> => provider.list(instance, readHost)
    // Most hosts have one supervisor of those that Reeve knows: who has nothing to do with it isn't asked for more.
    const first = named.has(name) ? undefined : await list()
    if (first?.length === 0) return
    const found = await provider.probe(instance, readHost)
    if (!found.available) {
      markUnavailable(name, found.reason)
      return
    }
    const listed = options.full ? (first ?? (await list())) : []
    const wanted = [...(named.get(name) ?? [])].filter(service => takesName(provider, service))
    const names = new Set([...wanted, ...listed.map(({ service }) => service)])
    const observed = await provider.observe([...names], instance, readHost)
    if (unavailable.has(name)) return // it came too late
    availability.set(name, found)
    for (const [service, one] of observed) services.set(locationKey({ supervisor: name, service }), one)
    listings.set(name, listed)
  }

  function markUnavailable(name: string, reason: string): void {
    unavailable.set(name, reason)
    availability.set(name, { available: false, reason })
  }

  /** One supervisor that can't be read, or hangs, must not blind Reeve to the others: it counts as unavailable. */
  async function trySurveyInstance(name: string, bound: BoundInstance): Promise<void> {
    if (options.hanging?.has(name)) return markUnavailable(name, 'it has not answered yet')
    let isOver = false
    const survey = surveyInstance(name, bound).finally(() => {
      isOver = true
      options.hanging?.delete(name)
    })
    try {
      await within(SURVEY_LIMIT, survey, options.clock)
    } catch (error) {
      if (!isOver) options.hanging?.add(name)
      markUnavailable(name, messageOf(error))
    }
  }

  const asked = [...instances].filter(([name]) => options.full || named.has(name))
  await Promise.all(asked.map(([name, bound]) => trySurveyInstance(name, bound)))
  // In the order of the instances, whichever answered first.
  const owned = asked.flatMap(([name]) => (listings.get(name) ?? []).map(entry => ownedLocation(name, entry)))
  if (!options.full) {
    for (const [key, { ownership, service }] of services) {
      if (ownership) owned.push({ supervisor: key.slice(0, key.indexOf('/')), service, ownership })
    }
  }
  const targets = facilities.map(facility => {
    const bound = instances.get(facility.supervisor)
    const found = availability.get(facility.supervisor)
    const lacks = found?.available ? found.lacks : undefined
    return makeTarget(facility, {
      instance: bound?.instance,
      provider: bound?.provider,
      host,
      owner: options.owner,
      ...(lacks ? { lacks } : {}),
      ...(options.checkPolicy ? { checkPolicy: options.checkPolicy } : {}),
      observed: services.get(locationKey(facility)),
    })
  })
  const controllers = findControllers(options, { services, owned, unavailable })
  const ours = owned.filter(({ ownership }) => ownership.owner === options.owner)
  const files = observeFiles(targets, { services, owned: ours }, host)
  return {
    world: { services, owned, unavailable, files, controllers },
    targets,
    availability,
  }
}

function within<T>(limit: number, promise: Promise<T>, clock: Clock): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = clock.after(limit, () =>
      reject(new ReeveError('unavailable', `it has not answered within ${limit / 1_000} s`)),
    )
    promise.then(resolve, reject).finally(() => timer[Symbol.dispose]())
  })
}
