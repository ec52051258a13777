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

  function bind(name: string, { type, options: own }: InstanceRecord): void {
    const provider = options.providers.get(type)
    if (!provider) return
    const readHost = hosts.get(type) ?? options.createReadHost(provider)
    hosts.set(type, readHost)
    const { stateDirectory, owner } = options
    bound.set(name, { instance: { name, type, options: own, stateDirectory, owner }, provider, readHost })
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
    const current = bound.get(name)
    if (current && isSame(current.instance, record)) continue
    const former = current ? formerName(name, record) : name
    const known = new Set([...bound.values()].map(layoutOf))
    bind(former, record)
    const layout = layoutOf(bound.get(former))
    if (layout !== undefined && known.has(layout)) bound.delete(former)
  }
  return bound
}

function placeOf(bound: BoundInstance | undefined): string | undefined {
  const place = bound?.provider.place?.(bound.instance)
  return place === undefined ? undefined : `${bound?.instance.type} ${place}`
}

/** As its options may be written in many ways, and its name may change. */
function layoutOf(bound: BoundInstance | undefined): string | undefined {
  const layout = bound?.provider.layout?.(bound.instance)
  return layout === undefined ? placeOf(bound) : `${bound?.instance.type} ${layout}`
}

/** The same name now means another place; what stands at the old one is known by a name that no manifest can claim. */
export function formerName(name: string, record: InstanceRecord): string {
  return `${name}~${sha256(JSON.stringify([record.type, record.options])).slice(0, 8)}`
}

export function recordOf({ type, options }: Instance): InstanceRecord {
  return { type, options }
}

export function isSame(instance: Instance, record: InstanceRecord): boolean {
  return instance.type === record.type && JSON.stringify(instance.options) === JSON.stringify(record.options)
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
