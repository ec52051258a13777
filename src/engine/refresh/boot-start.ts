import type { ReadHost } from '../../core/contracts/host.ts'
import { findHostingRefusal } from '../../core/contracts/hosting.ts'
import type { Facility } from '../../core/model/facility.ts'
import type { Observed } from '../../core/state/observed.ts'
import { locationKey } from '../../core/state/snapshot.ts'
import type { Session } from '../session/session.ts'
import type { BoundInstance } from '../session/supervisor-instances.ts'
import { findController } from '../session/writer-lock.ts'
import type { Refresh } from './refresh.ts'
import { probeAll } from './supervisor-list.ts'

export interface BootQuestion {
  readonly refresh: Pick<Refresh, 'snapshot' | 'availability'>
  readonly instances: ReadonlyMap<string, BoundInstance>
}

/**
 * Why what is enabled doesn't start after a boot, and what to do, in one line; undefined where it does, or nothing can be known.
 * `enabled` under the built-in supervisor means that it starts as that one comes up, and only a controller has it come up.
 */
export async function findBootProblem(
  session: Session,
  question: BootQuestion,
  facilities: readonly Facility[],
): Promise<string | undefined> {
  const lost = findLost(question, facilities)
  if (lost.length === 0 || isStartedAtBoot(session, question)) return undefined
  return describe(lost, await findWay(session, question))
}

/** As `findBootProblem`, for passes: supervisors are asked only when the answer may be another, and not waited for. */
export interface BootCheck {
  /** `settled`: there was nothing to do; from the first such pass on, the log has what is found, once. */
  looked(question: BootQuestion, facilities: Iterable<Facility>, settled: boolean): void
  /** By the last pass, as soon as all supervisors have answered or were given up. */
  problem(): string | undefined
}

export function createBootCheck(session: Session): BootCheck {
  let known = ''
  let asking: object | undefined
  let problem: string | undefined
  let isSettled = false
  let isTold = false

  async function ask(lost: readonly string[], question: BootQuestion): Promise<void> {
    const mine = {}
    asking = mine
    const found = describe(lost, await findWay(session, question))
    if (asking !== mine) return
    problem = found
    tell()
  }

  function tell(): void {
    if (isTold || !isSettled || problem === undefined) return
    isTold = true
    session.log.warn({}, problem)
  }

  return {
    looked(question, facilities, settled) {
      isSettled ||= settled
      const lost = findLost(question, facilities)
      const key = lost.join(' ')
      const isOther = key !== known
      known = key
      if (lost.length === 0 || isStartedAtBoot(session, question)) {
        asking = undefined
        problem = undefined
      } else if (isOther || asking === undefined) {
        void ask(lost, question)
      }
      tell()
    },
    problem: () => problem,
  }
}

/** Those on the host that are to start at boot, and need a controller for it; sorted. */
function findLost({ refresh, instances }: BootQuestion, facilities: Iterable<Facility>): string[] {
  const isLost = (facility: Facility): boolean =>
    facility.enabled === true &&
    !facility.suspend &&
    needsController(instances.get(facility.supervisor)) &&
    isInstalled(refresh.snapshot.services.get(locationKey(facility)))
  return [...facilities].flatMap(facility => (isLost(facility) ? facility.name : [])).sort()
}

function isInstalled(observed: Observed | undefined): boolean {
  return observed !== undefined && observed.state !== 'absent'
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
    ([name, { provider }]) => availability.get(name)?.available === true && findHostingRefusal(provider) === undefined,
  )
  // One that is declared has to be named.
  const [name, bound] = able.find(([name, { instance }]) => name === instance.type) ?? able[0] ?? []
  if (name === undefined) {
    return 'no supervisor here can run the controller; in a container, make reeve run DIR its entrypoint'
  }
  const flag = name === bound?.instance.type ? '' : ` --supervisor ${name}`
  return `the controller is no service of this host; run reeve install${flag}`
}

function describe(lost: readonly string[], way: string): string {
  const names = lost.length <= 3 ? lost.join(', ') : `${lost.slice(0, 2).join(', ')} and ${lost.length - 2} more`
  return `nothing starts ${names} at boot: ${way}`
}
