import type { Log } from '../../core/contracts/log.ts'
import { describeUnwritable, type UnwritableReport } from '../../core/state/unwritable.ts'

/** Says of supervisors, which have logs of their own on the same disks, what they can't write down: when it begins and ends. */
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
