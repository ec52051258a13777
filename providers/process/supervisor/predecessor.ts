import { basename } from 'node:path'
import type { ReadHost, WriteHost } from '../../../src/core/contracts/host.ts'
import type { Log } from '../../../src/core/contracts/log.ts'
import type { Layout } from '../shared/layout.ts'
import { isOwn, readCommandLine } from './run-facts.ts'

/**
 * E18: a supervisor whose directory was deleted, with its lock, keeps running, and would restart services that this one
 * stops. The holder of the new lock ends it. Its services outlive it.
 */
export function endPredecessors({ directory }: Layout, host: WriteHost, log: Log): void {
  const program = basename(process.argv[1] ?? '')
  for (const pid of host.processes()) {
    if (pid === process.pid || !isSupervisor(pid, program, directory, host)) continue
    host.kill(pid, 'KILL')
    log.warn({ pid }, 'ended the supervisor of before, whose directory was deleted')
  }
}

/**
 * Only this user's processes count: others can have any command line; in another mount namespace, the path is another
 * directory's.
 */
function isSupervisor(pid: number, program: string, directory: string, host: ReadHost): boolean {
  const words = readCommandLine(host, pid) ?? []
  if (words.at(-1) !== directory || basename(words.at(-2) ?? '') !== program) return false
  return isOwn(host, pid) && mountNamespaceOf(pid, host) === mountNamespaceOf('self', host)
}

function mountNamespaceOf(pid: number | 'self', host: ReadHost): string | undefined {
  return host.readLink(`/proc/${pid}/ns/mnt`)
}
