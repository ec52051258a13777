import type { ProcessFacts, ReadHost } from '../../core/contracts/host.ts'
import type { Facility } from '../../core/model/facility.ts'
import type { TakenPort } from '../../core/model/resolved-facility.ts'
import { isServing } from '../../core/plan/start-blocker.ts'
import type { Observed } from '../../core/state/observed.ts'
import { tryTo } from '../../core/try-to.ts'
import { type ListeningSockets, readListeningSockets } from '../../host/listening-sockets.ts'
import { findHolders, readName, readSockets } from './port-holder.ts'
import { findPlace } from './probe-trust.ts'
import { findMembers } from './service-members.ts'

/** Finds who holds the port that a facility will listen at. The host's sockets are read once, and only if needed. */
export type PortLook = (facility: Facility, observed: Observed | undefined) => TakenPort | undefined

/** `services`: known services by `locationKey`. */
export function createPortLook(services: ReadonlyMap<string, Observed>, host: ReadHost): PortLook {
  let sockets: ListeningSockets | undefined
  let processes: readonly ProcessFacts[] | undefined

  function look(facility: Facility, observed: Observed | undefined): TakenPort | undefined {
    const place = facility.health && findPlace(facility.health.check, host)
    if (!place || facility.state === 'stopped') return undefined
    const before = portsOf(observed)
    // The health check of a running service tells who answers there.
    if (isServing(observed) && before.includes(place.port)) return undefined
    sockets ??= readListeningSockets(host)
    const inodes = sockets.at(place.addresses, place.port)
    if (inodes.size === 0) return undefined
    processes ??= host.processes().flatMap(pid => host.process(pid) ?? [])
    const main = observed?.pid === undefined ? undefined : host.process(observed.pid)
    const members = main ? [main, ...findMembers(main, facility.service, processes, host)] : []
    const own = new Set(members.flatMap(({ pid }) => readSockets(pid, host) ?? []))
    if ([...inodes].some(inode => own.has(inode))) return undefined
    const { holder } = findHolders(inodes, new Set(members.map(({ pid }) => pid)), processes, host)
    if (!holder) return undefined
    const service = findService(holder, services)
    // Sockets at the port of its installed definition.
    const old = before.flatMap(port => [...(sockets?.at(place.addresses, port) ?? [])])
    return {
      port: place.port,
      pid: holder.pid,
      name: readName(holder.pid, host),
      ...(service !== undefined && { holder: service }),
      isNeeded: old.some(inode => own.has(inode)),
    }
  }

  return (facility, observed) => {
    return tryTo(() => look(facility, observed)) // processes come and go while they are read
  }
}

/** Port of its health check when its definition was installed. */
function portsOf(observed: Observed | undefined): number[] {
  return (observed?.ownership?.meets ?? []).flatMap(point => {
    const [, port] = /^port:(\d+)$/.exec(point) ?? []
    return port === undefined ? [] : Number(port)
  })
}

function findService(
  { pid, parent, group, session }: ProcessFacts,
  services: ReadonlyMap<string, Observed>,
): string | undefined {
  const ids = new Set([pid, parent, group, session])
  const [key] = [...services].find(([, observed]) => observed.pid !== undefined && ids.has(observed.pid)) ?? []
  return key
}
