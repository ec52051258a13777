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
 * Says in one line why enabled services won't start at boot, and what to do. Undefined if they will, or it can't be known. Enabled
 * services of the built-in supervisor start when it starts, and only a controller starts it.
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

/** `findBootProblem` for passes: asks supervisors only when the answer may have changed, and doesn't wait for them. */
export interface BootCheck {
  /** `settled`: the pass found nothing to do. From the first such pass on, a problem is logged, once. */
  refreshed(question: BootQuestion, facilities: Iterable<Facility>, settled: boolean): void
  /** Problem by the last pass, once all supervisors have answered or timed out. */
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
    refreshed(question, facilities, settled) {
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

/** Installed facilities that are to start at boot and need a controller for it, sorted. */
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

/** Whether the process was started with the host or container, and so will be again: others have a session of their own. */
function isOfFirstSession(pid: number, host: ReadHost): boolean {
  const first = host.process(1)
  return pid === 1 || (first !== undefined && host.process(pid)?.session === first.session)
}

/**
 * Whether an entrypoint runs this process, and so will again. The interactive shell of a container may be pid 1 as well, but on a
 * terminal it makes a process group for each command line.
 */
function isRunByEntrypoint(pid: number, host: ReadHost): boolean {
  if (!isOfFirstSession(pid, host)) return false
  const facts = host.process(pid)
  return facts?.hasTerminal !== true || facts.group === host.process(1)?.group
}

async function findWay({ clock }: Session, { refresh, instances }: BootQuestion): Promise<string> {
  // Supervisors that the refresh has asked aren't asked again: it did not wait for one that hangs, and neither must this.
  const others = new Map([...instances].filter(([name]) => !refresh.availability.has(name)))
  const availability = new Map([...refresh.availability, ...(await probeAll(others, clock))])
  const able = [...instances].filter(
    ([name, { provider }]) => availability.get(name)?.available === true && findHostingRefusal(provider) === undefined,
  )
  // A declared supervisor has to be named.
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
