import type { Log } from '../../core/contracts/log.ts'
import { messageOf } from '../../core/reeve-error.ts'
import { instanceKey } from '../session/observers.ts'
import type { BoundInstance } from '../session/supervisor-instances.ts'

export interface SupervisorWatch {
  /** Watches these instances, and no others. Present watches are kept. */
  follow(instances: ReadonlyMap<string, BoundInstance>): void
  /** False: the supervisor has no events, or watching it failed. */
  isWatched(supervisor: string): boolean
  [Symbol.dispose](): void
}

/** Turns the events of supervisors into hints. A hint without a service is about the whole supervisor. */
export function createSupervisorWatch(
  hint: (supervisor: string, service: string | undefined) => void,
  log: Log,
): SupervisorWatch {
  const watched = new Map<string, { readonly key: string; readonly watch: Disposable | undefined }>()

  function drop(name: string): void {
    watched.get(name)?.watch?.[Symbol.dispose]()
    watched.delete(name)
  }

  /** Without events, the resync still finds everything. */
  function tryWatch(supervisor: string, watch: () => Disposable | undefined): Disposable | undefined {
    try {
      return watch()
    } catch (error) {
      const message = `cannot watch supervisor ${supervisor}; polling every 30 s`
      log.warn({ supervisor, error: messageOf(error) }, message)
      return undefined
    }
  }

  return {
    follow(instances) {
      for (const [name, { instance, observer }] of instances) {
        const key = instanceKey(instance)
        if (!observer.watch || watched.get(name)?.key === key) continue
        drop(name)
        const report = (service?: string): void => hint(name, service)
        watched.set(name, { key, watch: tryWatch(name, () => observer.watch?.(report)) })
        report() // changes between the refresh and the watch would be missed
      }
      for (const name of [...watched.keys()]) if (!instances.has(name)) drop(name)
    },
    isWatched: supervisor => watched.get(supervisor)?.watch !== undefined,
    [Symbol.dispose]() {
      for (const name of [...watched.keys()]) drop(name)
    },
  }
}
