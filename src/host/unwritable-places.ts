import type { Log } from '../core/contracts/log.ts'
import type { Unwritable } from '../core/state/unwritable.ts'

/** Places that can't be written to, each told once in the log when it begins, and once when it is over. */
export interface UnwritablePlaces {
  /** Writing there has just failed. */
  failed(path: string, message: string): void
  /** Writing there has just gone well. */
  worked(path: string): void
  /** Those of now, by path. */
  list(): readonly Unwritable[]
}

/** `changed` is called when one comes or goes. */
export function createUnwritablePlaces(log: Log, now: () => number, changed: () => void = () => {}): UnwritablePlaces {
  const places = new Map<string, Unwritable>()
  return {
    failed(path, message) {
      if (places.get(path)?.message === message) return
      places.set(path, { path, message, since: places.get(path)?.since ?? now() })
      log.error({ path }, `${message}; meanwhile it goes on without writing there`)
      changed()
    },
    worked(path) {
      if (!places.delete(path)) return
      log.info({ path }, `${path} can be written again`)
      changed()
    },
    list: () => [...places.values()].sort((left, right) => (left.path < right.path ? -1 : 1)),
  }
}
