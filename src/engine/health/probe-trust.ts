import type { ProcessFacts } from '../../core/contracts/host.ts'
import type { Facility, Health } from '../../core/model/facility.ts'
import type { Observed } from '../../core/state/observed.ts'
import { readListeningSockets } from '../../host/listening-sockets.ts'
import { readLocalAddresses } from '../../host/local-addresses.ts'
import { isLiving } from '../../host/process-identity.ts'
import { findPortHolder, type PortHost } from './port-holder.ts'
import type { ProbeResult } from './probe-result.ts'

/** Trusts a health probe that passes only if the current run of the service has answered it. */
export interface ProbeTrust {
  /** `observed`: the last observed state. `ask` makes the probe. */
  check(
    facility: Pick<Facility, 'name' | 'service' | 'health'>,
    observed: Observed | undefined,
    ask: () => Promise<ProbeResult>,
  ): Promise<ProbeResult>
}

export interface ProbeTrustOptions {
  readonly host: PortHost
  /** Main processes of all facilities, by name. */
  pids(): Iterable<readonly [facility: string, pid: number]>
}

export function createProbeTrust({ host, pids }: ProbeTrustOptions): ProbeTrust {
  /** Runs that were found to hold their port themselves: they aren't checked again. */
  const holding = new Map<string, string>()

  function findStranger(
    { name, service, health }: Parameters<ProbeTrust['check']>[0],
    main: ProcessFacts,
  ): string | undefined {
    const run = `${main.pid} ${main.startTime}`
    const place = health && holding.get(name) !== run ? findPlace(health.check, host) : undefined
    if (!place) return undefined
    const sockets = readListeningSockets(host)
    const others = new Set([...pids()].flatMap(([facility, pid]) => (facility === name ? [] : pid)))
    const inodes = sockets.at(place.addresses, place.port)
    const holder = findPortHolder(main, service, inodes, sockets, others, host)
    if (holder.kind === 'service') holding.set(name, run)
    if (holder.kind !== 'other') return undefined
    return `port ${place.port} is held by another process (pid ${holder.pid}, ${holder.name}), not by ${name}`
  }

  return {
    async check(facility, observed, ask) {
      const pid = observed?.pid
      // Not all supervisors report the main process.
      if (pid === undefined) return ask()
      const before = findLiving(pid, host)
      if (!before) return ended(pid)
      const result = await ask()
      if (!result.healthy) return result
      if (findLiving(pid, host)?.startTime !== before.startTime) return ended(pid)
      const message = findStranger(facility, before)
      return message === undefined ? result : { healthy: false, message }
    },
  }
}

function ended(pid: number): ProbeResult {
  return { healthy: false, message: `its process (pid ${pid}) has ended, so that whatever answers is not the service` }
}

function findLiving(pid: number, host: PortHost): ProcessFacts | undefined {
  const facts = host.process(pid)
  return isLiving(facts) ? facts : undefined
}

/** Address on this host that a check connects to; undefined if it may be on another host. */
export function findPlace(
  check: Health['check'],
  host: Pick<PortHost, 'readText'>,
): { readonly addresses: readonly string[]; readonly port: number } | undefined {
  const asked = askedBy(check)
  const addresses = asked ? readLocalAddresses(host)(asked.name) : []
  return asked && addresses.length > 0 ? { addresses, port: asked.port } : undefined
}

function askedBy(check: Health['check']): { readonly name: string; readonly port: number } | undefined {
  if (check.type === 'tcp') return { name: check.host, port: check.port }
  if (check.type !== 'http') return undefined
  const { hostname, port, protocol } = new URL(check.url)
  return { name: hostname, port: port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port) }
}
