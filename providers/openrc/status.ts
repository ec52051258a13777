import { join } from 'node:path'
import type { ReadHost } from '../../src/core/contracts/host.ts'
import { ReeveError } from '../../src/core/reeve-error.ts'
import { isLiving } from '../../src/host/process-identity.ts'

/** Where OpenRC keeps what it knows, as empty links and small files: all of this is of 0.45.2. */
export const stateDirectory = '/run/openrc'

/** States of a service, each a directory with a link for each service in it. */
export const marks = ['starting', 'started', 'stopping', 'inactive', 'failed'] as const

export type Mark = (typeof marks)[number]

export interface Status {
  readonly marks: ReadonlySet<Mark>
  /** Pid of its supervise-daemon. Undefined: none is alive. */
  readonly daemon: number | undefined
  /** Pid of its process, as OpenRC has recorded it; it may be gone. Undefined: none is recorded. */
  readonly recorded: number | undefined
}

/** Not in the directory of OpenRC's own values: those are removed as the service is stopped. */
export function pidFileOf(service: string): string {
  return `/run/supervise-${service}.pid`
}

/** Reason why OpenRC can't be used; undefined: it can. Without this file, rc-service says of everything that it already starts. */
export function findAbsence(host: ReadHost): string | undefined {
  if (host.facts(join(stateDirectory, 'softlevel'))) return undefined
  return `OpenRC has not set up ${stateDirectory}: it has not booted this host, or is not installed`
}

/** Throws ReeveError `unavailable` where OpenRC isn't at work. */
export function readStatus(service: string, host: ReadHost): Status {
  const absence = findAbsence(host)
  if (absence !== undefined) throw new ReeveError('unavailable', absence)
  return {
    marks: new Set(marks.filter(mark => host.facts(join(stateDirectory, mark, service)) !== undefined)),
    daemon: findDaemon(service, host),
    recorded: readRecorded(service, host),
  }
}

function findDaemon(service: string, host: ReadHost): number | undefined {
  const pid = readPid(pidFileOf(service), host)
  if (pid === undefined || !isLiving(host.process(pid))) return undefined
  const [program, name] = (host.readText(`/proc/${pid}/cmdline`) ?? '').split('\0')
  return program?.endsWith('supervise-daemon') && name === service ? pid : undefined
}

/** supervise-daemon records its child by itself, start-stop-daemon the file that has its pid. */
function readRecorded(service: string, host: ReadHost): number | undefined {
  const child = readPid(join(stateDirectory, 'options', service, 'child_pid'), host)
  if (child !== undefined) return child
  const daemons = join(stateDirectory, 'daemons', service)
  for (const name of host.readDirectory(daemons) ?? []) {
    const [, file] = /^pidfile=(\/.+)$/m.exec(host.readText(join(daemons, name)) ?? '') ?? []
    const pid = file === undefined ? undefined : readPid(file, host)
    if (pid !== undefined) return pid
  }
  return undefined
}

function readPid(path: string, host: ReadHost): number | undefined {
  const [, pid] = /^(\d{1,10})\s*$/.exec(host.readText(path) ?? '') ?? []
  return pid === undefined || Number(pid) === 0 ? undefined : Number(pid)
}
