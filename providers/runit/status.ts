import type { SupervisionStatus } from '../scan-directory/family.ts'
import { readTai64n } from '../scan-directory/observe/tai64.ts'

const states: readonly SupervisionStatus['state'][] = ['down', 'up', 'finish']

/**
 * The 20 bytes of `supervise/status` (runit 2.1.2): TAI64N stamp, pid (little-endian), paused, want (`u` or `d`), whether it
 * got TERM, state. Undefined for anything else.
 */
export function parseRunitStatus(content: Uint8Array): SupervisionStatus | undefined {
  if (content.length !== 20) return undefined
  const view = new DataView(content.buffer, content.byteOffset, content.length)
  const state = states[view.getUint8(19)]
  if (state === undefined) return undefined
  const pid = view.getUint32(12, true)
  const want = view.getUint8(17)
  return {
    state,
    ...(pid !== 0 && { pid }),
    want: want === 'd'.charCodeAt(0) ? 'down' : 'up',
    isPaused: view.getUint8(16) !== 0,
    since: readTai64n(view, 0),
  }
}
