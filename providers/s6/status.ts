import type { SupervisionStatus } from '../scan-directory/family.ts'
import { readTai64n } from '../scan-directory/observe/tai64.ts'

/** Length of the file: up to 2.12 and from 2.14, and 2.13, which has the process group before the wait status. */
const flagOffsets = new Map([
  [35, 34],
  [43, 42],
])

/**
 * s6 counts leap seconds too, by the table of skalibs (tested with 2.11: its stamps are 27 s ahead of the clock). There has
 * been none since 2016, and none is to follow.
 */
const leapSeconds = 27

const flags = { isPaused: 1, isFinishing: 2, isWantedUp: 4, isReady: 8 }

/**
 * `supervise/status`: TAI64N stamps of the state and of readiness, pid (8 bytes, big-endian), wait status, flags. Undefined
 * for anything else.
 */
export function parseS6Status(content: Uint8Array): SupervisionStatus | undefined {
  const offset = flagOffsets.get(content.length)
  if (offset === undefined) return undefined
  const view = new DataView(content.buffer, content.byteOffset, content.length)
  const set = view.getUint8(offset)
  const pid = Number(view.getBigUint64(24))
  const up = (set & flags.isFinishing) !== 0 ? 'finish' : 'up'
  return {
    state: pid === 0 ? 'down' : up,
    ...(pid !== 0 && { pid }),
    want: (set & flags.isWantedUp) !== 0 ? 'up' : 'down',
    isPaused: (set & flags.isPaused) !== 0,
    isReady: (set & flags.isReady) !== 0,
    since: readTai64n(view, 0, leapSeconds),
  }
}
