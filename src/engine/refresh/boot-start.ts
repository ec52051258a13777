import type { ReadHost } from '../../core/contracts/host.ts'
import type { Facility } from '../../core/model/facility.ts'
import { locationKey } from '../../core/state/snapshot.ts'
import type { Session } from '../session/session.ts'
import type { BoundInstance } from '../session/supervisor-instances.ts'
import { findController } from '../session/writer-lock.ts'
import type { Refresh } from './refresh.ts'
import { probeAll } from './supervisor-list.ts'

export interface BootQuestion {
  readonly refresh: Refresh
  readonly instances: ReadonlyMap<string, BoundInstance>
}

/**
 * Why what is enabled doesn't start after a boot, and what to do; undefined where it does, or nothing can be known. `enabled` under
 * the built-in supervisor means that it starts as that one comes up, and only a controller has it come up.
 */
export async function findBootProblem(session: Session, question: BootQuestion): Promise<string | undefined> {
  const lost = findLost(question)
  if (lost.length === 0 || isStartedAtBoot(session, question)) return undefined
  return describe(lost, await findWay(session, question))
}

/** As `findBootProblem`, for who looks again and again: supervisors are asked only when the answer may be another, and not waited for. */
export interface BootCheck {
  looked(question: BootQuestion): void
  /** By the last look, as soon as all have answered or were given up. */
  problem(): string | undefined
}

export function createBootCheck(session: Session): BootCheck {
  let known = ''
  let problem: string | undefined

  async function ask(lost: readonly string[], question: BootQuestion): Promise<void> {
    const found = describe(lost, await findWay(session, question))
    if (known !== lost.join(' ') || found === problem) return
    problem = found
    session.log.warn({}, found)
  }

  return {
    looked(question) {
      const lost = isStartedAtBoot(session, question) ? [] : findLost(question)
      const key = lost.join(' ')
      if (key === known) return
      known = key
      if (lost.length === 0) problem = undefined
      else void ask(lost, question)
    },
    problem: () => problem,
  }
}

/** Those that are to start at boot, and need a controller for it; sorted. */
function findLost({ refresh, instances }: BootQuestion): string[] {
  const isLost = ({ enabled, suspend, supervisor }: Facility): boolean =>
    enabled === true && !suspend && needsController(instances.get(supervisor))
  return refresh.targets.flatMap(({ facility }) => (isLost(facility) ? facility.name : [])).sort()
}

function needsController(bound: BoundInstance | undefined): boolean {
  return bound?.provider.startedBy === 'controller'
}

function isStartedAtBoot(session: Session, { refresh, instances }: BootQuestion): boolean {
  const controller = findController(session)
  if (controller !== undefined && isOfFirstSession(controller, session.readHost)) return true
  if (isRunByEntrypoint(process.pid, session.readHost)) return true
  return (refresh.snapshot.controllers ?? []).some(location => {
    const enabled = refresh.snapshot.services.get(locationKey(location))?.enabled
    return enabled !== false && !needsController(instances.get(location.supervisor))
  })
}

/**
 * Started with the host, or with the container, and so it will be again: whoever isn't part of what pid 1 began with has a session
 * of its own.
 */
function isOfFirstSession(pid: number, host: ReadHost): boolean {
  const first = host.process(1)
  return pid === 1 || (first !== undefined && host.process(pid)?.session === first.session)
}

/**
 * An `apply` that ends at once is run again by an entrypoint only, and not by the shell that somebody types at in a container, which is
 * pid 1 as well: on a terminal that one makes a process group for each command line.
 */
function isRunByEntrypoint(pid: number, host: ReadHost): boolean {
  if (!isOfFirstSession(pid, host)) return false
  const facts = host.process(pid)
  return facts?.hasTerminal !== true || facts.group === host.process(1)?.group
}

async function findWay({ clock }: Session, { refresh, instances }: BootQuestion): Promise<string> {
  // Who has just been looked at isn't asked again: the look has not waited for one that hangs, and nor must this.
  const others = new Map([...instances].filter(([name]) => !refresh.availability.has(name)))
  const availability = new Map([...refresh.availability, ...(await probeAll(others, clock))])
  const able = [...instances].filter(
    ([
      name,
      {
        provider: { hosting },
      },
    ]) => {
      return availability.get(name)?.available === true && !(hosting && 'refusal' in hosting)
    },
  )
  // One that is declared has to be named.
  const [name, bound] = able.find(([name, { instance }]) => name === instance.type) ?? able[0] ?? []
  if (name === undefined) {
    return "No supervisor of this host that could run the controller answers; in a container, make 'reeve run DIR' its entrypoint"
  }
  return `To have ${name} start the controller at boot, run reeve install${name === bound?.instance.type ? '' : ` --supervisor ${name}`}`
}

function describe(lost: readonly string[], way: string): string {
  const names = lost.length <= 5 ? lost.join(', ') : `${lost.slice(0, 4).join(', ')} and ${lost.length - 4} more`
  const [are, them] = lost.length === 1 ? ['is', 'it'] : ['are', 'them']
  return `${names} ${are} enabled, but nothing starts ${them} at boot: the built-in supervisor is started by a controller, and none is a service of this host. ${way}`
}
