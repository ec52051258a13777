import { REMOVAL_SETTLING } from '../../core/reconcile/decide.ts'
import type { Clock } from '../../host/clock.ts'

/** Remembers since when facilities have had no manifest, and wakes the controller when they may be pruned (E9). */
export interface PruneDelay {
  /** Time by `Clock.elapsed` since which every reading has missed the facility. */
  readonly missingSince: ReadonlyMap<string, number>
  /** Facilities that this reading misses; all others are there. */
  note(missing: ReadonlySet<string>): void
  [Symbol.dispose](): void
}

export function createPruneDelay(clock: Clock, due: () => void): PruneDelay {
  const missingSince = new Map<string, number>()
  let timer: Disposable | undefined
  return {
    missingSince,
    note(missing) {
      for (const name of missingSince.keys()) if (!missing.has(name)) missingSince.delete(name)
      let isNew = false
      for (const name of missing) {
        if (missingSince.has(name)) continue
        missingSince.set(name, clock.elapsed())
        isNew = true
      }
      if (!isNew) return
      timer?.[Symbol.dispose]()
      timer = clock.after(REMOVAL_SETTLING, due)
    },
    [Symbol.dispose]: () => timer?.[Symbol.dispose](),
  }
}
