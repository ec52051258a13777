import { REMOVAL_SETTLING } from '../../core/reconcile/decide.ts'
import type { Clock } from '../../host/clock.ts'

/** Since when manifests have been gone (E9). It says when their removal is certain, so that it is decided upon then. */
export interface PruneDelay {
  /** By `Clock.elapsed`: those that have been missing in every look since. */
  readonly missingSince: ReadonlyMap<string, number>
  /** The facilities missing in this look; the others are there. */
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
