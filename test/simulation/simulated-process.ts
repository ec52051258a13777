import { type Location, locationKey } from '../../src/core/state/snapshot.ts'
import { isProgram } from './declaration.ts'
import {
  readDefinition,
  readLoaded,
  type SimulatedHost,
  type SimulatedService,
  withFile,
  withService,
} from './simulated-host.ts'

/** Behaviour of the processes of a simulated host: each program by its kind, and two that want one port. */

/** Now, in ms since 1970. Time stands still: everything began long ago, except processes that exit again and again. */
export const NOW = 1_000_000_000

export function serviceAt(host: SimulatedHost, at: Location): SimulatedService {
  return (
    host.services.get(locationKey(at)) ?? {
      supervisor: at.supervisor,
      service: at.service,
      state: 'stopped',
      enabled: false,
      supervised: true,
    }
  )
}

/** The next pid doesn't matter: compared end states have none. */
export function start(host: SimulatedHost, before: SimulatedService): SimulatedHost {
  const isUpAlready = before.state === 'running' || before.state === 'starting'
  if (isUpAlready) return withService(host, { ...before, supervised: true })
  return run(stopConflicting(host, before), before)
}

/** Services whose definition declares the conflict, or that this one's does. */
function stopConflicting(host: SimulatedHost, at: Location): SimulatedHost {
  const key = locationKey(at)
  const conflictOf = ({ supervisor, service }: Location): string | undefined => {
    return readDefinition(host, supervisor, service)?.process.conflicts
  }
  let result = host
  for (const [other, service] of host.services) {
    const isBeside = other !== key && !service.packaged && isUp(service)
    if (isBeside && (conflictOf(service) === key || conflictOf(at) === other)) result = stop(result, service)
  }
  return result
}

function run(host: SimulatedHost, { supervisor, service, enabled, packaged, port }: SimulatedService): SimulatedHost {
  const base = { supervisor, service, enabled, supervised: true }
  // It listens where it did, which is no longer declared.
  const theirs = { ...base, packaged: true, ...(port === undefined ? {} : { port }) } as const
  if (packaged) return withService(host, { ...theirs, state: 'running', loaded: readLoaded(host, supervisor, service) })
  const definition = readDefinition(host, supervisor, service)
  const command = definition?.process.command
  const restart = definition?.process.restart
  const wanted = definition?.process.port
  const loaded = readLoaded(host, supervisor, service)
  if (isProgram(command, 'job') && restart !== 'always') {
    return withService(host, { ...base, state: 'stopped', completed: true, loaded })
  }
  const isRefused = wanted !== undefined && isHeld(host, wanted, locationKey(base))
  const comesUp = isProgram(command, 'daemon') || isProgram(command, 'scribe') || isProgram(command, 'hung')
  if (comesUp && !isRefused) {
    const listens = wanted === undefined ? {} : { port: wanted }
    const read = isProgram(command, 'scribe') ? { memory: readOwn(host, definition?.reeve?.files ?? []) } : {}
    return withService(host, { ...base, ...listens, ...read, state: 'running', loaded, pid: 100 })
  }
  if (restart === 'never') return withService(host, { ...base, state: 'failed', loaded })
  // Observed between two ends: a single observation takes it for running.
  if (isProgram(command, 'brittle') && !isRefused) {
    return withService(host, { ...base, state: 'running', restarts: 3, since: NOW - 1, loaded, pid: 100 })
  }
  return withService(host, { ...base, state: 'starting', restarts: 3, loaded })
}

function readOwn(host: SimulatedHost, paths: readonly string[]): SimulatedHost['files'] {
  return new Map(
    paths
      .flatMap(path => [[path, host.files.get(path)] as const])
      .flatMap(([path, file]) => (file ? [[path, file]] : [])),
  )
}

function isHeld(host: SimulatedHost, port: number, except: string): boolean {
  return holdersOf(host, port).some(key => key !== except)
}

/** Services that listen there, by `locationKey`. */
export function holdersOf(host: SimulatedHost, port: number): string[] {
  return [...host.services].flatMap(([key, service]) => (service.port === port && isUp(service) ? key : []))
}

export function stop(host: SimulatedHost, before: SimulatedService): SimulatedHost {
  const { supervisor, service, enabled, supervised, packaged, port, memory } = before
  const theirs = packaged ? { packaged, ...(port === undefined ? {} : { port }) } : {}
  let result = withService(host, { supervisor, service, enabled, supervised, ...theirs, state: 'stopped' })
  if (!isUp(before)) return result
  // It writes its memory back.
  for (const [path, file] of memory ?? [])
    result = withFile(result, path, { ...file, ...host.files.get(path), content: file.content })
  return result
}

export function reload(host: SimulatedHost, before: SimulatedService): SimulatedHost {
  if (before.state !== 'running') return host
  const { supervisor, service, memory } = before
  const { reeve, process } = readDefinition(host, supervisor, service) ?? {}
  const read = memory ? { memory: readOwn(host, reeve?.files ?? []) } : {}
  const wanted = process?.port
  if (wanted !== undefined && isHeld(host, wanted, locationKey(before))) {
    return withService(host, { ...before, ...read, loaded: readLoaded(host, supervisor, service) })
  }
  // It leaves a port that is not declared any more.
  const { port: _port, ...rest } = before
  const listens = wanted === undefined ? {} : { port: wanted }
  return withService(host, { ...rest, ...read, ...listens, loaded: readLoaded(host, supervisor, service) })
}

/** Actions of supervisors by themselves: they restart ended services, with the current definition. */
export function settle(host: SimulatedHost): SimulatedHost {
  let result = host
  for (const service of host.services.values()) {
    const isWaiting = service.state === 'starting' && service.supervised && !service.packaged
    if (isWaiting && readDefinition(result, service.supervisor, service.service)) result = run(result, service)
  }
  return result
}

export function isUp({ state }: SimulatedService): boolean {
  return state === 'running' || state === 'starting' || state === 'stopping'
}
