import { join } from 'node:path'
import type { ReadHost } from '../../src/core/contracts/host.ts'
import { ReeveError } from '../../src/core/reeve-error.ts'
import { isLiving } from '../../src/host/process-identity.ts'

/** Where OpenRC keeps what it knows, as empty links and small files: all of this is of 0.45.2. */
export const stateDirectory = '/run/openrc'

/** States of a service, each a directory with a link for each service in it. */
export const marks = ['starting', 'started', 'stopping', 'inactive', 'failed'] as const

export type Mark = (typeof marks)[number]

/** What is read of a host. */
type StatusHost = Pick<ReadHost, 'facts' | 'process' | 'readText'>

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
export function findAbsence(host: StatusHost): string | undefined {
  if (host.facts(join(stateDirectory, 'softlevel'))) return undefined
  return `OpenRC has not set up ${stateDirectory}: it has not booted this host, or is not installed`
}

/** Throws ReeveError `unavailable` where OpenRC isn't at work. */
export function readStatus(service: string, host: StatusHost): Status {
  const absence = findAbsence(host)
  if (absence !== undefined) throw new ReeveError('unavailable', absence)
  return {
    marks: new Set(marks.filter(mark => host.facts(join(stateDirectory, mark, service)) !== undefined)),
    daemon: findDaemon(service, host),
    recorded: readRecorded(service, host),
  }
}

function findDaemon(service: string, host: StatusHost): number | undefined {
  const pid = readPid(pidFileOf(service), host)
  if (pid === undefined || !isLiving(host.process(pid))) return undefined
  const [program, name] = (host.readText(`/proc/${pid}/cmdline`) ?? '').split('\0')
  return program?.endsWith('supervise-daemon') && name === service ? pid : undefined
}

/**
 * supervise-daemon records its child. For start-stop-daemon OpenRC keeps the path of the file that has the pid: Debian's, which is that
 * of dpkg, records nothing else, so OpenRC itself doesn't see that such a process is gone.
 */
function readRecorded(service: string, host: StatusHost): number | undefined {
  const values = join(stateDirectory, 'options', service)
  const child = readPid(join(values, 'child_pid'), host)
  const file = host.readText(join(values, 'pidfile'))?.trim()
  return child ?? (file?.startsWith('/') ? readPid(file, host) : undefined)
}

function readPid(path: string, host: StatusHost): number | undefined {
  const [, pid] = /^(\d{1,10})\s*$/.exec(host.readText(path) ?? '') ?? []
  return pid === undefined || Number(pid) === 0 ? undefined : Number(pid)
}
