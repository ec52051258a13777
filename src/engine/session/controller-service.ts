import type { ReadHost } from '../../core/contracts/host.ts'
import { isController } from '../../core/plan/reach.ts'
import { type Location, locationKey, type Snapshot } from '../../core/state/snapshot.ts'
import type { BoundInstance } from './supervisor-instances.ts'

/** What the search needs. */
interface Ground {
  readonly instances: ReadonlyMap<string, BoundInstance>
  /** Process of the running controller of this state directory, if there is one. */
  readonly controller?: number | undefined
  readonly host: ReadHost
}

/**
 * Services that run a controller, which no manifest may touch: those of `reeve install`, by their marker, and the one that the
 * controller of this state directory runs in; each with its other names.
 */
export function findControllers(
  { instances, controller, host }: Ground,
  { services, owned, unavailable }: Pick<Snapshot, 'services' | 'owned' | 'unavailable'>,
): Location[] {
  const found = new Map<string, Location>()
  const note = (supervisor: string, service: string): void => {
    const names = instances.get(supervisor)?.observer.aliasesOf?.(service)
    for (const name of [service, ...(names ?? [])]) {
      const location = { supervisor, service: name }
      found.set(locationKey(location), location)
    }
  }
  for (const { supervisor, service, ownership } of owned) if (isController(ownership.owner)) note(supervisor, service)
  if (controller === undefined) return [...found.values()]
  const processes = sessionOf(controller, host)
  for (const [key, { service, pid }] of services) {
    if (pid !== undefined && processes.has(pid)) note(key.slice(0, key.indexOf('/')), service)
  }
  for (const [name, bound] of instances) {
    if (unavailable.has(name)) continue
    const service = bound.observer.serviceOf?.(controller)
    if (service !== undefined) note(name, service)
  }
  return [...found.values()]
}

/** The process and its ancestors in the same session: the service may be a script that started it. */
function sessionOf(pid: number, host: ReadHost): Set<number> {
  const found = new Set<number>()
  const session = host.process(pid)?.session
  for (
    let facts = host.process(pid);
    facts && facts.pid > 1 && facts.session === session;
    facts = host.process(facts.parent)
  ) {
    if (found.has(facts.pid)) break
    found.add(facts.pid)
  }
  return found
}
