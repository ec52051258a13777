import type { SupervisionStatus } from '../scan-directory/family.ts'
import { readTai64n } from '../scan-directory/observe/tai64.ts'

const wants = new Map<number, 'up' | 'down'>([
  ['u'.charCodeAt(0), 'up'],
  ['d'.charCodeAt(0), 'down'],
])

/**
 * The 18 bytes of `supervise/status` (daemontools 0.76): TAI64N stamp, pid (little-endian), paused, want (`u`, `d`, or 0 for
 * a service that is not started again). Undefined for anything else: the file is written in place.
 */
export function parseDaemontoolsStatus(content: Uint8Array): SupervisionStatus | undefined {
  if (content.length !== 18) return undefined
  const view = new DataView(content.buffer, content.byteOffset, content.length)
  const pid = view.getUint32(12, true)
  const want = wants.get(view.getUint8(17))
  return {
    state: pid === 0 ? 'down' : 'up',
    ...(pid !== 0 && { pid }),
    ...(want !== undefined && { want }),
    isPaused: view.getUint8(16) !== 0,
    since: readTai64n(view, 0),
  }
}
