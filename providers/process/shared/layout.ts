import { isAbsolute, join, normalize } from 'node:path'
import type { Instance } from '../../../src/core/model/facility.ts'

/**
 * Where an instance keeps its things. One flat directory for each kind, so that one inotify watch each serves a thousand
 * services; everything in them can be read by a person.
 */
export interface Layout {
  readonly directory: string
  /** NAME.json: what to run, and Reeve's marker. Written by the provider. */
  readonly definitions: string
  /** NAME, empty: is started when the supervisor starts after a boot. Written by the provider. */
  readonly enabled: string
  /** NAME.json: what the supervisor knows of the service. */
  readonly state: string
  /** NAME~N.sh, .shim, .pid, .said, .exit: the run number N of a service; see shim-script.ts. */
  readonly runs: string
  /** NAME.log, NAME.log.1 …: the output of services that declare no file for it. */
  readonly logs: string
  /** Claims of the one supervisor that works on this directory. */
  readonly lock: string
  readonly socket: string
  /** Where the supervisor tells, to whoever connects, what it could not write down; see telling.ts. */
  readonly telling: string
  /** What the supervisor has to say. */
  readonly log: string
  /** Of the Reeve that the supervisor is of: it goes on when Reeve is upgraded. */
  readonly version: string
}

/** By default `process` in the state directory, or `process-NAME` for an instance of another name. */
export function directoryOf(instance: Instance): string {
  const { directory } = instance.options
  if (typeof directory === 'string' && isAbsolute(directory)) return normalize(directory).replace(/(.)\/+$/, '$1')
  const name = instance.name === instance.type ? instance.type : `${instance.type}-${instance.name}`
  return join(instance.stateDirectory, name)
}

export function layoutOf(directory: string): Layout {
  return {
    directory,
    definitions: join(directory, 'definitions'),
    enabled: join(directory, 'enabled'),
    state: join(directory, 'state'),
    runs: join(directory, 'runs'),
    logs: join(directory, 'logs'),
    lock: join(directory, 'lock'),
    socket: join(directory, 'supervisor.sock'),
    telling: join(directory, 'telling.sock'),
    log: join(directory, 'supervisor.log'),
    version: join(directory, 'version'),
  }
}

export function definitionPath(layout: Layout, service: string): string {
  return join(layout.definitions, `${service}.json`)
}

export function enabledPath(layout: Layout, service: string): string {
  return join(layout.enabled, service)
}

export function recordPath(layout: Layout, service: string): string {
  return join(layout.state, `${service}.json`)
}

/** Where a record is written before it is moved into place. */
export function temporaryRecordPath(layout: Layout, service: string): string {
  return join(layout.state, `.${service}.tmp`)
}

export function ownLogPath(layout: Layout, service: string): string {
  return join(layout.logs, `${service}.log`)
}

export type RunPart = 'sh' | 'shim' | 'pid' | 'said' | 'exit'

export function runPath(layout: Layout, service: string, run: number, part: RunPart): string {
  return join(layout.runs, `${service}~${run}.${part}`)
}

/** The service of a file in `definitions` or `state`; undefined for temporary files and what isn't ours. */
export function serviceOfJson(name: string): string | undefined {
  return name.startsWith('.') || !name.endsWith('.json') ? undefined : name.slice(0, -'.json'.length)
}

/** The service and the run of a file in `runs`. No service's name holds a `~`. */
export function runOfFile(name: string): { readonly service: string; readonly run: number } | undefined {
  const [, service, run] = /^([^.~][^~]*)~(\d{1,15})\.(?:sh|shim|pid|said|exit)$/.exec(name) ?? []
  return service === undefined || run === undefined ? undefined : { service, run: Number(run) }
}
