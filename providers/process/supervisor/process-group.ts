import type { ReadHost } from '../../../src/core/contracts/host.ts'
import { isLiving, type ProcessIdentity } from '../../../src/host/process-identity.ts'

/**
 * What is left of a service's process group after its main process has ended. A number is proof of nothing: pids and
 * groups are used again. This is proof: a member's session can only have been inherited when it was born, so whoever has
 * the main process's pid as session and was born while that process lived was born into the service.
 *
 * `until`: when the main process was last known to live, in ticks since boot.
 */
export function findLeftMembers(host: ReadHost, main: ProcessIdentity, until: number): number[] {
  // The kernel gives a pid to nobody while it is still some group's or session's.
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
