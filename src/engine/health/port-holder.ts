import type { ProcessFacts, ReadHost } from '../../core/contracts/host.ts'
import type { ListeningSockets } from '../../host/listening-sockets.ts'
import { findMembers } from './service-members.ts'

export type PortHost = Pick<ReadHost, 'readText' | 'readLink' | 'readDirectory' | 'process' | 'processes'>

/** Who answers at an address. `unknown`: it cannot be determined, and the answer is trusted. */
export type PortHolder =
  | { readonly kind: 'service' | 'unknown' }
  | { readonly kind: 'other'; readonly pid: number; readonly name: string }

/**
 * Programs that listen on behalf of others: supervisors that pass a socket on, and helpers of containers. Their service is
 * unknown.
 */
const STAND_INS: ReadonlySet<string> = new Set([
  'systemd',
  'systemd-socket-proxyd',
  'inetd',
  'xinetd',
  'docker-proxy',
  'dockerd',
  'containerd-shim',
  'conmon',
  'rootlessport',
  'rootlesskit',
  'slirp4netns',
  'pasta',
  'passt',
])

/**
 * Finds the holder of an address. It is `other` only where that is certain: the service listens nowhere at all (else it may be
 * behind a proxy), and the holder belongs to another facility or is older than the service, so that the service did not start
 * it. `inodes`: of the sockets that listen at the address.
 */
export function findPortHolder(
  main: ProcessFacts,
  service: string,
  inodes: ReadonlySet<string>,
  sockets: ListeningSockets,
  otherPids: ReadonlySet<number>,
  host: PortHost,
): PortHolder {
  const unknown = { kind: 'unknown' } as const
  if (inodes.size === 0 || !sharesNetwork(main.pid, host)) return unknown
  const own = readSockets(main.pid, host)
  if (!own) return unknown
  if (own.some(inode => inodes.has(inode))) return { kind: 'service' }
  if (own.some(inode => sockets.all.has(inode))) return unknown
  const processes = host.processes().flatMap(pid => host.process(pid) ?? [])
  const members = findMembers(main, service, processes, host)
  for (const { pid } of members) {
    const held = readSockets(pid, host)
    if (held?.some(inode => inodes.has(inode))) return { kind: 'service' }
    if (!held || held.some(inode => sockets.all.has(inode))) return unknown
  }
  const { holder, holders } = findHolders(inodes, new Set(members.map(({ pid }) => pid)), processes, host)
  if (!holder) return unknown
  const isOthers = holders.some(({ pid, group, session, parent }) => {
    return [pid, group, session, parent].some(id => otherPids.has(id))
  })
  if (!isOthers && Number(holder.startTime) >= Number(main.startTime)) return unknown
  return { kind: 'other', pid: holder.pid, name: readName(holder.pid, host) }
}

interface Holders {
  /** Oldest holder. Absent: none is visible, or it listens on behalf of others. */
  readonly holder?: ProcessFacts
  readonly holders: readonly ProcessFacts[]
}

/** Processes with one of these sockets open, except those of the service itself. */
export function findHolders(
  inodes: ReadonlySet<string>,
  members: ReadonlySet<number>,
  processes: readonly ProcessFacts[],
  host: PortHost,
): Holders {
  const holders = processes
    .filter(({ pid }) => !members.has(pid) && readSockets(pid, host)?.some(inode => inodes.has(inode)))
    .sort((left, right) => Number(left.startTime) - Number(right.startTime))
  const [holder] = holders
  const isStandIn = holders.some(({ pid }) => pid === 1 || STAND_INS.has(readName(pid, host)))
  return { ...(holder && !isStandIn && { holder }), holders }
}

function sharesNetwork(pid: number, host: PortHost): boolean {
  try {
    const own = host.readLink('/proc/self/ns/net')
    return own !== undefined && host.readLink(`/proc/${pid}/ns/net`) === own
  } catch {
    return false // no right to read it
  }
}

/** Inodes of the sockets that a process has open. Undefined: unknown. */
export function readSockets(pid: number, host: PortHost): string[] | undefined {
  try {
    const names = host.readDirectory(`/proc/${pid}/fd`)
    return names?.flatMap(name => {
      const [, inode] = /^socket:\[(\d+)\]$/.exec(host.readLink(`/proc/${pid}/fd/${name}`) ?? '') ?? []
      return inode ?? []
    })
  } catch {
    return undefined
  }
}

/** The kernel cuts program names off after 15 characters. */
export function readName(pid: number, host: PortHost): string {
  return host.readText(`/proc/${pid}/comm`)?.trim() || 'unknown'
}
