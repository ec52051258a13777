import { closeSync, writeSync } from 'node:fs'
import { createFailure, errnoOf } from './failure.ts'
import { openReadPipe } from './pipe-reader.ts'

/** See `WriteHost.writePipe`. */
export function writePipe(path: string, text: string): boolean {
  const fd = openReadPipe(path)
  if (fd === undefined) return false
  try {
    writeSync(fd, text)
    return true
  } catch (error) {
    // The reader went away between the two.
    if (errnoOf(error) === 'EPIPE') return false
    throw createFailure(`write to the pipe ${path}`, error)
  } finally {
    closeSync(fd)
  }
}
