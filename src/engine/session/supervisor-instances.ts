import type { Observer, Provider } from '../../core/contracts/provider.ts'
import type { Instance } from '../../core/model/facility.ts'
import { asWritten, type PlaceFinder } from '../../core/state/place.ts'
import { createPlaceFinder } from '../../host/path-place.ts'
import { sha256 } from '../../host/sha256.ts'
import type { ManifestSet, SupervisorManifest } from '../../manifest/manifest-set.ts'
import type { Observers } from './observers.ts'
import type { Session } from './session.ts'
import type { InstanceRecord, StateRecord } from './state-files.ts'
import { findLayout, findPlace } from './supervisor-identity.ts'

/** Supervisor instance with its provider. */
export interface BoundInstance {
  readonly instance: Instance
  readonly provider: Provider
  /** Opens the observer at the first call; the session disposes of it. */
  readonly observer: Observer
  /** Resolves directories, shared by all instances that are bound together. Absent: paths are taken as they are. */
  readonly finder?: PlaceFinder
}

export interface InstanceOptions {
  readonly providers: ReadonlyMap<string, Provider>
  readonly declared: readonly SupervisorManifest[]
  /** Recorded instances under which something was owned, so that services of a dropped Supervisor manifest can be removed. */
  readonly recorded: ReadonlyMap<string, InstanceRecord>
  readonly stateDirectory: string
  readonly owner: string
  readonly finder?: PlaceFinder
  readonly observers: Observers
}

/** All supervisor instances by name: the default one of each provider, declared ones, and recorded ones. */
export function bindInstances(options: InstanceOptions): Map<string, BoundInstance> {
  const bound = new Map<string, BoundInstance>()
  const { finder = asWritten, observers } = options

  function bind(key: string, { type, options: own }: InstanceRecord): void {
    const provider = options.providers.get(type)
    if (!provider) return
    const { stateDirectory, owner } = options
    const instance = { name: declaredName(key), type, options: own, stateDirectory, owner }
    bound.set(key, {
      instance,
      provider,
      finder,
      get observer() {
        return observers.get(provider, instance)
      },
    })
  }

  for (const { name, type, options: own } of options.declared) bind(name, { type, options: own })
  const taken = new Set([...bound.values()].map(placeOf))
  for (const type of options.providers.keys()) {
    if (bound.has(type)) continue
    bind(type, { type, options: {} })
    const place = placeOf(bound.get(type))
    if (place !== undefined && taken.has(place)) bound.delete(type)
  }
  for (const [name, record] of options.recorded) {
    if ([...bound.values()].some(one => isSame(one, name, record))) continue
    bind(bound.has(name) ? formerName(name, record) : name, record)
  }
  return bound
}

/** Type and resolved place of the instance, which are the same for two names of one instance. */
function placeOf(bound: BoundInstance | undefined): string | undefined {
  const place = bound && findPlace(bound.provider, bound.instance, bound.finder ?? asWritten)
  return place === undefined ? undefined : `${bound?.instance.type} ${place}`
}

/** Name, which no manifest can use, of a recorded instance whose own name now means another place. */
export function formerName(name: string, record: InstanceRecord): string {
  return `${name}~${sha256(JSON.stringify([record.type, record.options])).slice(0, 8)}`
}

/** Declared name of an instance that has a name of `formerName`. */
function declaredName(name: string): string {
  return name.replace(/~[0-9a-f]{8}$/, '')
}

export function recordOf({ type, options }: Instance): InstanceRecord {
  return { type, options }
}

/** True if the recorded instance is this one, however its options are written and whatever it is called now. */
export function isSame(
  { provider, instance, finder = asWritten }: BoundInstance,
  name: string,
  record: InstanceRecord,
): boolean {
  if (instance.type !== record.type) return false
  const layout = findLayout(provider, instance, finder)
  const recorded = { ...instance, ...record, name: declaredName(name) }
  if (layout !== undefined) return layout === findLayout(provider, recorded, finder)
  return instance.name === declaredName(name) && JSON.stringify(instance.options) === JSON.stringify(record.options)
}

/** Binds the instances of the session, the manifests and the record. */
export function bindAll(session: Session, set: ManifestSet, record: StateRecord): Map<string, BoundInstance> {
  return bindInstances({
    providers: session.providers,
    declared: set.supervisors,
    recorded: record.instances,
    stateDirectory: session.configuration.stateDirectory,
    owner: session.configuration.owner,
    finder: createPlaceFinder(session.readHost),
    observers: session.observers,
  })
}
