import type { ReadHost } from '../../../src/core/contracts/host.ts'
import { isLiving, type ProcessIdentity } from '../../../src/host/process-identity.ts'

/**
 * Members left of a service's process group after its main process has ended. A number alone proves nothing, as pids and
 * groups are reused. A session can only be inherited at birth, so a process whose session is the main process's pid, and
 * that was born while that process lived, was born into the service. `until`: when the main process was last known to live,
 * in ticks since boot.
 */
export function findLeftMembers(host: ReadHost, main: ProcessIdentity, until: number): number[] {
  // The kernel reuses no pid that is still some group's or session's.
  const holder = host.process(main.pid)
  if (holder && holder.startTime !== main.startTime) return []
  const members: number[] = []
  for (const pid of host.processes()) {
    if (pid === main.pid) continue
    const facts = host.process(pid)
    if (!isLiving(facts) || facts.group !== main.pid || facts.session !== main.pid) continue
    const born = Number(facts.startTime)
    if (born >= Number(main.startTime) && born <= until) members.push(pid)
  }
  return members
}
