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

/** An instance with the provider that knows its type. */
export interface BoundInstance {
  readonly instance: Instance
  readonly provider: Provider
  /** Opened when it is first asked for, and disposed of by the session. */
  readonly observer: Observer
  /** Where directories stand; one for all that are bound together. Absent: where they say. */
  readonly finder?: PlaceFinder
}

export interface InstanceOptions {
  readonly providers: ReadonlyMap<string, Provider>
  readonly declared: readonly SupervisorManifest[]
  /** Instances under which something was owned. Without them, what a dropped Supervisor manifest left could never be removed. */
  readonly recorded: ReadonlyMap<string, InstanceRecord>
  readonly stateDirectory: string
  readonly owner: string
  readonly finder?: PlaceFinder
  readonly observers: Observers
}

/** Every instance on this host, by name: the default one of each provider, those declared, and those remembered. */
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

/** Where its paths lead on this host. */
function placeOf(bound: BoundInstance | undefined): string | undefined {
  const place = bound && findPlace(bound.provider, bound.instance, bound.finder ?? asWritten)
  return place === undefined ? undefined : `${bound?.instance.type} ${place}`
}

/** The same name now means another place; what stands at the old one is known by a name that no manifest can claim. */
export function formerName(name: string, record: InstanceRecord): string {
  return `${name}~${sha256(JSON.stringify([record.type, record.options])).slice(0, 8)}`
}

/** What it was declared as, where a provider goes by that: see `formerName`. */
function declaredName(name: string): string {
  return name.replace(/~[0-9a-f]{8}$/, '')
}

export function recordOf({ type, options }: Instance): InstanceRecord {
  return { type, options }
}

/** True if that is what is remembered under this name, in whatever words, and under whatever name it is declared now. */
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

/** As the session, the manifests and the record have them. */
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
