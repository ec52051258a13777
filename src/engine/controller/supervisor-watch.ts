import type { Log } from '../../core/contracts/log.ts'
import { messageOf } from '../../core/reeve-error.ts'
import { instanceKey } from '../session/observers.ts'
import type { BoundInstance } from '../session/supervisor-instances.ts'

export interface SupervisorWatch {
  /** Watches these from now on, and no others. Those that are watched already stay so. */
  follow(instances: ReadonlyMap<string, BoundInstance>): void
  /** False: it has no events, or they can't be had. */
  isWatched(supervisor: string): boolean
  [Symbol.dispose](): void
}

/** The supervisors' own events, where they have any. Without a service, the hint is about the whole supervisor. */
export function createSupervisorWatch(
  hint: (supervisor: string, service: string | undefined) => void,
  log: Log,
): SupervisorWatch {
  const watched = new Map<string, { readonly key: string; readonly watch: Disposable | undefined }>()

  function drop(name: string): void {
    watched.get(name)?.watch?.[Symbol.dispose]()
    watched.delete(name)
  }

  /** Without its events, the regular looks still find everything. */
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
        report() // what changed between the look and the watch would be missed
      }
      for (const name of [...watched.keys()]) if (!instances.has(name)) drop(name)
    },
    isWatched: supervisor => watched.get(supervisor)?.watch !== undefined,
    [Symbol.dispose]() {
      for (const name of [...watched.keys()]) drop(name)
    },
  }
}
