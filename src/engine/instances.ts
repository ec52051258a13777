import type { Instance } from '../core/facility.ts'
import type { Provider, ReadHost } from '../core/provider.ts'
import type { ManifestSet, SupervisorManifest } from '../manifest/manifest-set.ts'
import type { Session } from './session.ts'
import type { StateRecord } from './state-files.ts'
import { sha256 } from './targets.ts'

/** An instance with the provider that knows its type, and a handle that can only look. */
export interface BoundInstance {
  readonly instance: Instance
  readonly provider: Provider
  readonly readHost: ReadHost
  /** Why nothing can be done there: it is the same supervisor as another one that is declared, reached by another path. */
  readonly problem?: string
}

/** What has to be known of an instance to find it again when its manifest is gone. */
export interface InstanceRecord {
  readonly type: string
  readonly options: Readonly<Record<string, unknown>>
}

export interface InstanceOptions {
  readonly providers: ReadonlyMap<string, Provider>
  readonly declared: readonly SupervisorManifest[]
  /** Instances under which something was owned. Without them, what a dropped Supervisor manifest left could never be removed. */
  readonly recorded: ReadonlyMap<string, InstanceRecord>
  readonly stateDirectory: string
  readonly owner: string
  createReadHost(provider: Provider): ReadHost
}

/** Every instance on this host, by name: the default one of each provider, those declared, and those remembered. */
export function bindInstances(options: InstanceOptions): Map<string, BoundInstance> {
  const bound = new Map<string, BoundInstance>()
  const hosts = new Map<string, ReadHost>()

  function bind(key: string, { type, options: own }: InstanceRecord): void {
    const provider = options.providers.get(type)
    if (!provider) return
    const readHost = hosts.get(type) ?? options.createReadHost(provider)
    hosts.set(type, readHost)
    const { stateDirectory, owner } = options
    const instance = { name: declaredName(key), type, options: own, stateDirectory, owner }
    bound.set(key, { instance, provider, readHost })
  }

  for (const { name, type, options: own } of options.declared) bind(name, { type, options: own })
  refuseDoubles(bound)
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

/** Each of the two would find the other's services, declared for it by nobody. */
function refuseDoubles(bound: Map<string, BoundInstance>): void {
  const places = new Map<string, string[]>()
  for (const [name, one] of bound) {
    const place = placeOf(one)
    if (place !== undefined) places.set(place, [...(places.get(place) ?? []), name])
  }
  for (const [place, names] of places) {
    for (const name of names) {
      const one = bound.get(name)
      const others = names.filter(other => other !== name)
      if (!one || others.length === 0) continue
      const problem = `it is the same as supervisor ${others.join(' and ')}: each is the ${place.replace(' ', ' at ')}. Declare it once`
      bound.set(name, { ...one, problem })
    }
  }
}

/** Where its paths lead on this host. */
function placeOf(bound: BoundInstance | undefined): string | undefined {
  const place = bound && askPlace(bound.provider, bound.instance, bound.readHost)
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
export function isSame({ provider, instance, readHost }: BoundInstance, name: string, record: InstanceRecord): boolean {
  if (instance.type !== record.type) return false
  const recorded = { ...instance, ...record, name: declaredName(name) }
  const layout = layoutOf(provider, instance, readHost)
  if (layout !== undefined) return layout === layoutOf(provider, recorded, readHost)
  return instance.name === declaredName(name) && JSON.stringify(instance.options) === JSON.stringify(record.options)
}

function layoutOf(provider: Provider, instance: Instance, host: ReadHost): string | undefined {
  return attempt(() => provider.layout?.(instance, host)) ?? askPlace(provider, instance, host)
}

/** See `Provider.place`. Where the provider fails over it, the instance is one of its own. */
export function askPlace(provider: Provider, instance: Instance, host?: ReadHost): string | undefined {
  return attempt(() => provider.place?.(instance, host))
}

/** What a provider fails over in one instance must not hold up all others. */
function attempt<T>(ask: () => T): T | undefined {
  try {
    return ask()
  } catch {
    return undefined
  }
}

/** As the session, the manifests and the record have them. */
export function bindAll(session: Session, set: ManifestSet, record: StateRecord): Map<string, BoundInstance> {
  return bindInstances({
    providers: session.providers,
    declared: set.supervisors,
    recorded: record.instances,
    stateDirectory: session.configuration.stateDirectory,
    owner: session.configuration.owner,
    createReadHost: session.readHostFor,
  })
}
