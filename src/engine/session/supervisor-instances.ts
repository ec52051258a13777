import type { ReadHost } from '../../core/contracts/host.ts'
import type { Provider } from '../../core/contracts/provider.ts'
import type { Instance } from '../../core/model/facility.ts'
import { asWritten, type PlaceFinder } from '../../core/state/place.ts'
import { createPlaceFinder } from '../../host/path-place.ts'
import { sha256 } from '../../host/sha256.ts'
import type { ManifestSet, SupervisorManifest } from '../../manifest/manifest-set.ts'
import type { Session } from './session.ts'
import type { InstanceRecord, StateRecord } from './state-files.ts'
import { askPlace, attempt } from './supervisor-place.ts'

/** An instance with the provider that knows its type, and a handle that can only look. */
export interface BoundInstance {
  readonly instance: Instance
  readonly provider: Provider
  readonly readHost: ReadHost
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
  createReadHost(provider: Provider): ReadHost
}

/** Every instance on this host, by name: the default one of each provider, those declared, and those remembered. */
export function bindInstances(options: InstanceOptions): Map<string, BoundInstance> {
  const bound = new Map<string, BoundInstance>()
  const hosts = new Map<string, ReadHost>()
  const { finder = asWritten } = options

  function bind(key: string, { type, options: own }: InstanceRecord): void {
    const provider = options.providers.get(type)
    if (!provider) return
    const readHost = hosts.get(type) ?? options.createReadHost(provider)
    hosts.set(type, readHost)
    const { stateDirectory, owner } = options
    const instance = { name: declaredName(key), type, options: own, stateDirectory, owner }
    bound.set(key, { instance, provider, readHost, finder })
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
  const place = bound && askPlace(bound.provider, bound.instance, bound.finder ?? asWritten)
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
  const layout = layoutOf(provider, instance, finder)
  const recorded = { ...instance, ...record, name: declaredName(name) }
  if (layout !== undefined) return layout === layoutOf(provider, recorded, finder)
  return instance.name === declaredName(name) && JSON.stringify(instance.options) === JSON.stringify(record.options)
}

function layoutOf(provider: Provider, instance: Instance, finder: PlaceFinder): string | undefined {
  const layout = attempt(() => provider.layout?.(instance))
  if (layout === undefined) return askPlace(provider, instance, finder)
  return typeof layout === 'string' ? layout : layout.map(directory => finder.directory(directory)).join('\n')
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
    createReadHost: session.readHostFor,
  })
}
