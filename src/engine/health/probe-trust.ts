import type { Facility, Health } from '../../core/facility.ts'
import type { Observed } from '../../core/observed.ts'
import type { ProcessFacts } from '../../core/provider.ts'
import { isLoopback, readListeningSockets } from '../../host/listening-sockets.ts'
import type { ProbeResult } from '../probe-result.ts'
import { findPortHolder, type PortHost } from './port-holder.ts'

/** A check that passes is believed only if it was this very run of the service that passed it. */
export interface ProbeTrust {
  /** `observed`: what the last look has found. `ask` makes the probe. */
  check(
    facility: Pick<Facility, 'name' | 'service' | 'health'>,
    observed: Observed | undefined,
    ask: () => Promise<ProbeResult>,
  ): Promise<ProbeResult>
}

export interface ProbeTrustOptions {
  readonly host: PortHost
  /** The main processes of all facilities, by name. */
  pids(): Iterable<readonly [facility: string, pid: number]>
}

export function createProbeTrust({ host, pids }: ProbeTrustOptions): ProbeTrust {
  /** The runs that were seen to hold their port themselves: they aren't asked again. */
  const holding = new Map<string, string>()

  function findStranger(
    { name, service, health }: Parameters<ProbeTrust['check']>[0],
    main: ProcessFacts,
  ): string | undefined {
    const address = health && findAddress(health.check)
    const run = `${main.pid} ${main.startTime}`
    if (!address || holding.get(name) === run) return undefined
    const sockets = readListeningSockets(host)
    const others = new Set([...pids()].flatMap(([facility, pid]) => (facility === name ? [] : pid)))
    const inodes = sockets.at(address.host, address.port)
    const holder = findPortHolder(main, service, inodes, sockets, others, host)
    if (holder.kind === 'service') holding.set(name, run)
    if (holder.kind !== 'other') return undefined
    return `port ${address.port} is held by another process (pid ${holder.pid}, ${holder.name}), not by ${name}`
  }

  return {
    async check(facility, observed, ask) {
      const pid = observed?.pid
      // Not all supervisors tell which process it is.
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
  return facts?.state === 'Z' || facts?.state === 'X' ? undefined : facts
}

/** Where a check asks this host itself. */
export function findAddress(check: Health['check']): { readonly host: string; readonly port: number } | undefined {
  if (check.type === 'tcp') return isLoopback(check.host) ? check : undefined
  if (check.type !== 'http') return undefined
  const { hostname, port, protocol } = new URL(check.url)
  if (!isLoopback(hostname)) return undefined
  return { host: hostname, port: port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port) }
}
