import type { ProcessFacts, ReadHost } from '../../core/contracts/host.ts'

/**
 * Processes of a service besides its main one: its descendants, the members of its process group and session, and those in the
 * control group of its name.
 */
export function findMembers(
  main: ProcessFacts,
  service: string,
  processes: readonly ProcessFacts[],
  host: Pick<ReadHost, 'readText'>,
): ProcessFacts[] {
  const parents = new Map(processes.map(({ pid, parent }) => [pid, parent]))
  const group = readControlGroup(main.pid, host)
  const isOwnGroup = group.split(/[/\n]/).some(part => part === service || part === `${service}.service`)
  return processes.filter(one => {
    if (one.pid === main.pid) return false
    if (one.group === main.pid || one.session === main.pid || descends(one.pid, main.pid, parents)) return true
    return isOwnGroup && readControlGroup(one.pid, host) === group
  })
}

function descends(pid: number, from: number, parents: ReadonlyMap<number, number>): boolean {
  const met = new Set<number>()
  for (let at = parents.get(pid); at !== undefined && at > 1 && !met.has(at); at = parents.get(at)) {
    if (at === from) return true
    met.add(at) // pids may have been reused while they were read
  }
  return false
}

function readControlGroup(pid: number, host: Pick<ReadHost, 'readText'>): string {
  return host.readText(`/proc/${pid}/cgroup`) ?? ''
}
