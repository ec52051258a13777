import { isAbsolute, join, normalize } from 'node:path'
import type { Instance } from '../../../src/core/model/facility.ts'

/**
 * Paths of an instance. One flat directory for each kind of file, so that one inotify watch each serves a thousand services;
 * all files are readable by people.
 */
export interface Layout {
  readonly directory: string
  /** NAME.json: process to run, and Reeve's marker. Written by the provider. */
  readonly definitions: string
  /** NAME, empty: the service is started when the supervisor starts after a boot. Written by the provider. */
  readonly enabled: string
  /** NAME.json: the supervisor's record of the service. */
  readonly state: string
  /** NAME~N.sh, .shim, .pid, .said, .exit: the run number N of a service; see shim-script.ts. */
  readonly runs: string
  /** NAME.log, NAME.log.1 …: output of services that declare no file for it. */
  readonly logs: string
  /** Claims of the supervisor that owns this directory. */
  readonly lock: string
  readonly socket: string
  /** Socket at which the supervisor reports what it could not record; see telling.ts. */
  readonly telling: string
  /** Log of the supervisor. */
  readonly log: string
  /** Version of Reeve that the supervisor belongs to: it keeps running when Reeve is upgraded. */
  readonly version: string
}

/** `process` in the state directory by default, or `process-NAME` for an instance of another name. */
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

/** Path at which a record is written before it is moved into place. */
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

/** Service of a file in `definitions` or `state`; undefined for temporary and unknown files. */
export function serviceOfJson(name: string): string | undefined {
  return name.startsWith('.') || !name.endsWith('.json') ? undefined : name.slice(0, -'.json'.length)
}

/** Service and run of a file in `runs`. No service name contains a `~`. */
export function runOfFile(name: string): { readonly service: string; readonly run: number } | undefined {
  const [, service, run] = /^([^.~][^~]*)~(\d{1,15})\.(?:sh|shim|pid|said|exit)$/.exec(name) ?? []
  return service === undefined || run === undefined ? undefined : { service, run: Number(run) }
}
