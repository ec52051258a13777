import { addTo } from '../../core/list-map.ts'
import { messageOf } from '../../core/reeve-error.ts'
import { type Location, locationKey, type Snapshot } from '../../core/state/snapshot.ts'
import { withinSurvey } from '../refresh/refresh-limit.ts'
import type { Session } from '../session/session.ts'
import type { BoundInstance } from '../session/supervisor-instances.ts'
import type { Appliers } from './appliers.ts'

/**
 * Has providers record the loaded definitions of runs that Reeve did not start, while they can tell them: see `Applier.keepRuns`.
 * Without it, such services are restarted too often.
 */
export type KeepRuns = (looked: readonly Location[], snapshot: Pick<Snapshot, 'services'>) => Promise<void>

export interface RunKeepingOptions {
  /** Throws if the supervisor instance no longer exists. */
  find(supervisor: string): BoundInstance
  readonly appliers: Appliers
}

/** A supervisor that hangs or fails delays no other, and isn't asked again until it has answered (E5). */
export function createRunKeeping(
  { clock, configuration, log }: Pick<Session, 'clock' | 'configuration' | 'log'>,
  { find, appliers }: RunKeepingOptions,
): KeepRuns {
  const hanging = new Set<string>()

  async function ask(supervisor: string, services: readonly string[]): Promise<void> {
    await appliers.use(supervisor, find(supervisor), async applier => applier.keepRuns?.(services))
  }

  async function keep(supervisor: string, services: readonly string[]): Promise<void> {
    if (hanging.has(supervisor)) return
    hanging.add(supervisor)
    const asked = ask(supervisor, services).finally(() => hanging.delete(supervisor))
    try {
      await withinSurvey(asked, clock)
    } catch (error) {
      log.warn({ supervisor, error: messageOf(error) }, 'what services have read could not be written down')
    }
  }

  return async (looked, { services }) => {
    const unrecorded = new Map<string, string[]>()
    for (const { supervisor, service } of looked) {
      const observed = services.get(locationKey({ supervisor, service }))
      if (!observed?.isUnrecorded || observed.ownership?.owner !== configuration.owner) continue
      addTo(unrecorded, supervisor, service)
    }
    await Promise.all([...unrecorded].map(([supervisor, found]) => keep(supervisor, found)))
  }
}
