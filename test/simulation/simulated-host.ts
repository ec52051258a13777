import type { ResolvedFacility } from '../../src/core/model/resolved-facility.ts'
import type { Loaded, Observed, ObservedFile, Ownership, ServiceState } from '../../src/core/state/observed.ts'
import type { Relation, ServiceTies } from '../../src/core/state/relation.ts'
import { type Location, locationKey, type OwnedLocation, type Snapshot } from '../../src/core/state/snapshot.ts'
import { definitionDigest, definitionPath, type SimulatedDefinition, sha256 } from './declaration.ts'

/** Host with supervisors, as plain data: what a refresh would observe, and what steps change. */
export interface SimulatedHost {
  /** By `locationKey`: what the supervisors know besides the definitions on disk. */
  readonly services: ReadonlyMap<string, SimulatedService>
  readonly files: ReadonlyMap<string, SimulatedFile>
  /** Supervisors that don't answer. */
  readonly unavailable: ReadonlyMap<string, string>
  /** Aliases of services, by `locationKey`. A definition in place of an alias removes it. */
  readonly aliases: ReadonlyMap<string, Location>
  /** Services whose state is unknown, by `locationKey`. */
  readonly unknown: ReadonlySet<string>
}

export interface SimulatedService {
  readonly supervisor: string
  readonly service: string
  readonly state: Exclude<ServiceState, 'absent' | 'unknown'>
  readonly enabled: boolean
  readonly supervised: boolean
  readonly completed?: boolean
  readonly loaded?: Loaded
  readonly pid?: number
  readonly restarts?: number
  readonly since?: number
  /** Port where it listens. */
  readonly port?: number
  /** Content that it read as it started, and writes back as it ends. */
  readonly memory?: ReadonlyMap<string, SimulatedFile>
  /** Installed by a package: it has a definition of its own, somewhere else. */
  readonly packaged?: boolean
}

export interface SimulatedFile {
  readonly content: Uint8Array
  readonly mode: number
  readonly uid: number
  readonly gid: number
}

export const emptyHost: SimulatedHost = {
  services: new Map(),
  files: new Map(),
  unavailable: new Map(),
  aliases: new Map(),
  unknown: new Set(),
}

export function withService(host: SimulatedHost, service: SimulatedService): SimulatedHost {
  return { ...host, services: new Map(host.services).set(locationKey(service), service) }
}

export function withoutService(host: SimulatedHost, key: string): SimulatedHost {
  return { ...host, services: new Map([...host.services].filter(([other]) => other !== key)) }
}

export function withFile(host: SimulatedHost, path: string, file: SimulatedFile): SimulatedHost {
  return { ...host, files: new Map(host.files).set(path, file) }
}

export function withoutFile(host: SimulatedHost, path: string): SimulatedHost {
  return { ...host, files: new Map([...host.files].filter(([other]) => other !== path)) }
}

export function readDefinition(
  host: SimulatedHost,
  supervisor: string,
  service: string,
): SimulatedDefinition | undefined {
  const file = host.files.get(definitionPath(supervisor, service))
  return file && parseDefinition(new TextDecoder().decode(file.content))
}

function parseDefinition(text: string): SimulatedDefinition {
  try {
    return JSON.parse(text)
  } catch {
    return { process: { command: [], restart: 'always', reload: false } } // edited to rubbish
  }
}

/** Content that a process reads if it starts now. */
export function readLoaded(host: SimulatedHost, supervisor: string, service: string): Loaded {
  const definition = readDefinition(host, supervisor, service)
  const files: Record<string, string> = {}
  for (const path of definition?.reeve?.files ?? []) {
    const file = host.files.get(path)
    files[path] = file ? sha256(file.content) : 'absent'
  }
  return { definition: definition ? definitionDigest(definition) : 'none', files }
}

/** Like a refresh: the services of the facilities, all with a marker, and the files of the facilities. */
export function refreshHost(host: SimulatedHost, targets: readonly ResolvedFacility[]): Snapshot {
  const owned = listOwned(host)
  const asked = [...targets.map(target => target.facility), ...owned]
  const services = new Map<string, Observed>()
  for (const { supervisor, service } of asked) {
    if (!host.unavailable.has(supervisor)) {
      services.set(locationKey({ supervisor, service }), observe(host, supervisor, service))
    }
  }
  const files = new Map<string, ObservedFile>()
  const named = owned.flatMap(({ ownership }) => ownership.files.map(path => ({ path })))
  for (const { path } of [
    ...targets.flatMap(({ definition, files }) => [...(definition?.files ?? []), ...files]),
    ...named,
  ]) {
    const file = host.files.get(path)
    files.set(path, file ? { kind: 'file', digest: sha256(file.content), ...file } : { kind: 'absent' })
  }
  const leaving = owned.map((one): [string, ServiceTies] => [locationKey(one), tiesOf({ facility: one }, host)])
  const ties = new Map([
    ...leaving,
    ...targets.map(target => [locationKey(target.facility), tiesOf(target, host)] as const),
  ])
  const formerTies = new Map(
    targets.map(({ facility }) => [locationKey(facility), tiesOf({ facility }, host)] as const),
  )
  return { services, owned, unavailable: host.unavailable, files, ties, formerTies }
}

/** Service that a name means. */
export function resolve({ aliases, files }: SimulatedHost, at: Location): Location {
  return files.has(definitionPath(at.supervisor, at.service)) ? at : (aliases.get(locationKey(at)) ?? at)
}

/** Relations of a service to others, once it is as declared, if it is. */
function tiesOf(
  { facility, definition }: { readonly facility: Location } & Pick<ResolvedFacility, 'definition'>,
  host: SimulatedHost,
): ServiceTies {
  const { supervisor, service } = definition ? facility : resolve(host, facility)
  const [file] = definition?.files ?? []
  const { process } = file ? parseDefinition(file.content) : (readDefinition(host, supervisor, service) ?? {})
  const relations = process?.conflicts === undefined ? [] : [conflictWith(process.conflicts, service)]
  const isAlias = service !== facility.service
  return {
    identities: [locationKey({ supervisor, service })],
    ...(isAlias ? { alias: `${facility.service} is another name of ${service}` } : {}),
    relations,
  }
}

function conflictWith(to: string, service: string): Relation {
  return { kind: 'conflicts', to, how: `${service} conflicts with ${to}` }
}

function listOwned(host: SimulatedHost): OwnedLocation[] {
  const owned: OwnedLocation[] = []
  for (const path of host.files.keys()) {
    const [, supervisor, service] = /^\/definitions\/([^/]+)\/([^/]+)\.json$/.exec(path) ?? []
    if (supervisor === undefined || service === undefined || host.unavailable.has(supervisor)) continue
    const ownership = readDefinition(host, supervisor, service)?.reeve
    if (ownership) owned.push({ supervisor, service, ownership })
  }
  return owned
}

function observe(host: SimulatedHost, supervisor: string, name: string): Observed {
  const { service } = resolve(host, { supervisor, service: name })
  return { ...observeService(host, supervisor, service), service: name }
}

function observeService(host: SimulatedHost, supervisor: string, service: string): Observed {
  const key = locationKey({ supervisor, service })
  if (host.unknown.has(key)) {
    return { service, state: 'unknown', enabled: 'unknown', supervised: false, message: 'it gives no answer' }
  }
  const found = host.services.get(key)
  const definition = readDefinition(host, supervisor, service)
  const ownership: Ownership | undefined = definition?.reeve
  const owned = ownership ? { ownership } : {}
  if (!found) return { service, state: 'absent', enabled: false, supervised: true, ...owned }
  const isUp = found.state === 'running' || found.state === 'starting' || found.state === 'stopping'
  // Its definition was deleted: while its process is alive, the supervisor still knows of it.
  if (!definition && !isUp && !found.packaged)
    return { service, state: 'absent', enabled: found.enabled, supervised: found.supervised }
  const { state, enabled, supervised, completed, loaded, pid, restarts, since } = found
  return {
    service,
    state,
    enabled,
    supervised,
    ...owned,
    ...(completed ? { completed } : {}),
    ...(loaded ? { loaded } : {}),
    ...(pid === undefined ? {} : { pid }),
    ...(restarts === undefined ? {} : { restarts }),
    ...(since === undefined ? {} : { since }),
  }
}
