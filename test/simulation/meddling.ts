import fc from 'fast-check'
import { bytesOf, definitionPath, definitionText } from './declaration.ts'
import {
  readDefinition,
  readLoaded,
  type SimulatedFile,
  type SimulatedHost,
  type SimulatedService,
  withFile,
  withoutFile,
  withService,
} from './simulated-host.ts'
import { settle, stop } from './simulated-process.ts'

/** Actions of others on a host. `at` chooses the service, file or place, modulo their number. */
export interface Meddling {
  readonly kind: Kind
  readonly at: number
}

type Kind =
  | 'kill'
  | 'stop'
  | 'stopping'
  | 'orphan'
  | 'enable'
  | 'reread'
  | 'editDefinition'
  | 'chmod'
  | 'chown'
  | 'deleteFile'
  | 'editFile'
  | 'settle'
  | 'settleAsAnother'
  | 'leaveFile'
  | 'hide'
  | 'cutOff'

type StoryAction = (host: SimulatedHost, at: number) => SimulatedHost

/** Places of strangers: where Reeve will write, and beside it. */
const places = ['a', 'b', 's1', 'packaged'].flatMap(service =>
  ['alpha', 'beta'].map(supervisor => ({ supervisor, service })),
)
const paths = ['/etc/a/1', '/etc/b/2', '/etc/shared']

const storyActions: Readonly<Record<Kind, StoryAction>> = {
  kill: onService(service => ({ ...service, state: 'failed' })),
  stop(host, at) {
    const service = pick([...host.services.values()], at)
    return service ? stop(host, { ...service, supervised: true }) : host
  },
  stopping: onService(service => (service.state === 'running' ? { ...service, state: 'stopping' } : service)),
  orphan: onService(service => ({ ...service, supervised: false })),
  enable: onService(service => ({ ...service, enabled: !service.enabled })),
  reread: (host, at) =>
    onService(service =>
      service.loaded ? { ...service, loaded: readLoaded(host, service.supervisor, service.service) } : service,
    )(host, at),
  editDefinition(host, at) {
    const service = pick([...host.services.values()], at)
    const definition = service && readDefinition(host, service.supervisor, service.service)
    if (!definition?.reeve) return host
    const process = { ...definition.process, command: ['/bin/daemon', 'edited'] }
    const path = definitionPath(service?.supervisor ?? '', service?.service ?? '')
    return withFile(host, path, { ...fileOf(definitionText({ ...definition, process })) })
  },
  chmod: onFile((host, path, file) => withFile(host, path, { ...file, mode: 0o666 })),
  chown: onFile((host, path, file) => withFile(host, path, { ...file, uid: 33 })),
  deleteFile: onFile((host, path) => withoutFile(host, path)),
  editFile: onFile((host, path, file) => {
    if (path.startsWith('/definitions/')) return host
    const edited = { ...file, content: bytesOf('edited\n') }
    return remember(withFile(host, path, edited), path, edited)
  }),
  settle(host, at) {
    const place = pick(places, at)
    if (!place || host.services.has(`${place.supervisor}/${place.service}`)) return host
    const listens = at % 2 === 0 ? { port: 80 } : {}
    const base = { ...place, enabled: true, supervised: true, packaged: true } as const
    return withService(host, { ...base, ...listens, state: 'running', pid: 7 })
  },
  settleAsAnother(host, at) {
    const { supervisor, service } = pick(places, at) ?? { supervisor: 'alpha', service: 'a' }
    const path = definitionPath(supervisor, service)
    if (host.files.has(path) || host.services.has(`${supervisor}/${service}`)) return host
    const reeve = { owner: 'edge', facility: service, files: [], dependsOn: [], prune: true }
    const process = { command: ['/bin/daemon'], restart: 'always', reload: false }
    const settled = withFile(host, path, fileOf(definitionText({ reeve, process })))
    return withService(settled, { supervisor, service, state: 'running', enabled: true, supervised: true })
  },
  leaveFile(host, at) {
    const path = pick(paths, at)
    return path === undefined || host.files.has(path) ? host : withFile(host, path, fileOf('theirs\n'))
  },
  hide: (host, at) => ({
    ...host,
    unknown: new Set([...host.unknown, pick([...host.services.keys()], at) ?? 'alpha/a']),
  }),
  cutOff: host => ({ ...host, unavailable: new Map([['beta', 'its socket refuses']]) }),
}

export const meddlings: fc.Arbitrary<Meddling> = fc.record({
  kind: fc.constantFrom(...(Object.keys(storyActions) as Kind[])),
  at: fc.nat({ max: 20 }),
})

export function meddle(host: SimulatedHost, meddling: readonly Meddling[]): SimulatedHost {
  let result = host
  for (const { kind, at } of meddling) result = settle(storyActions[kind](result, at))
  return result
}

/** An edit that lasts: whoever edits a file that its program writes as it ends has the program read it. */
function remember(host: SimulatedHost, path: string, file: SimulatedFile): SimulatedHost {
  let result = host
  for (const service of host.services.values()) {
    if (!service.memory?.has(path)) continue
    result = withService(result, { ...service, memory: new Map(service.memory).set(path, file) })
  }
  return result
}

function onService(change: (service: SimulatedService) => SimulatedService): StoryAction {
  return (host, at) => {
    const service = pick([...host.services.values()], at)
    return service ? withService(host, change(service)) : host
  }
}

function onFile(
  change: (host: SimulatedHost, path: string, file: ReturnType<typeof fileOf>) => SimulatedHost,
): StoryAction {
  return (host, at) => {
    const entry = pick([...host.files], at)
    return entry ? change(host, ...entry) : host
  }
}

function pick<T>(list: readonly T[], at: number): T | undefined {
  return list[at % Math.max(list.length, 1)]
}

function fileOf(text: string): { content: Uint8Array; mode: number; uid: number; gid: number } {
  return { content: bytesOf(text), mode: 0o644, uid: 0, gid: 0 }
}
