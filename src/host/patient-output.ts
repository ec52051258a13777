import { constants, openSync, writeSync } from 'node:fs'
import type { Clock } from './clock.ts'
import { errnoOf } from './failure.ts'

/** Writes everything, however slow the reader; throws when the reader is gone. */
export type WriteOut = (content: Uint8Array) => Promise<void>

/** Time between two tries at a full pipe, in milliseconds. */
const RETRY_INTERVAL = 50

/**
 * Node writes to a pipe in a way that holds the whole process up while nobody reads it. Opened anew, it says that it is full, and
 * nobody else who has it open is concerned.
 */
export function openPatientOutput(descriptor: number, clock: Clock): WriteOut {
  const fd = reopen(descriptor)
  return async content => {
    for (let offset = 0; offset < content.length; ) {
      const written = tryWrite(fd, content.subarray(offset))
      offset += written
      if (written === 0) await clock.sleep(RETRY_INTERVAL)
    }
  }
}

/** A socket can't be opened: it is used as it is. */
function reopen(descriptor: number): number {
  try {
    return openSync(`/proc/self/fd/${descriptor}`, constants.O_WRONLY | constants.O_APPEND | constants.O_NONBLOCK)
  } catch {
    return descriptor
  }
}

function tryWrite(fd: number, content: Uint8Array): number {
  try {
    return writeSync(fd, content)
  } catch (error) {
    if (errnoOf(error) === 'EAGAIN') return 0
    throw error
  }
}
