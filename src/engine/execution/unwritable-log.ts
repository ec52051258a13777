import type { Log } from '../../core/contracts/log.ts'
import { describeUnwritable, type UnwritableReport } from '../../core/state/unwritable.ts'

/** Logs when supervisors can no longer write their own records, as on a full disk, and when they can again. */
export function createUnwritableLog(log: Log): (places: readonly UnwritableReport[]) => void {
  let known: ReadonlyMap<string, UnwritableReport> = new Map()
  return places => {
    const now = new Map(
      places.flatMap(place => (place.supervisor === undefined ? [] : [[`${place.supervisor} ${place.path}`, place]])),
    )
    for (const [key, place] of now) {
      const { supervisor, path } = place
      if (!known.has(key)) log.error({ supervisor, path }, `${describeUnwritable(place)}; it supervises all the same`)
    }
    for (const [key, { supervisor, path }] of known) {
      if (!now.has(key)) log.info({ supervisor, path }, `supervisor ${supervisor}: ${path} can be written again`)
    }
    known = now
  }
}
