import { closeSync, constants, fstatSync, openSync, writeSync } from 'node:fs'
import { ReeveError } from '../core/reeve-error.ts'
import { createFailure, errnoOf, isAbsence } from './failure.ts'

/** See `ReadHost.isRead`. Opening for writing is the only way to ask the kernel; nothing is written. */
export function isPipeRead(path: string): boolean {
  const fd = openForWriting(path)
  if (fd === undefined) return false
  closeSync(fd)
  return true
}

/** See `WriteHost.writePipe`. */
export function writePipe(path: string, text: string): boolean {
  const fd = openForWriting(path)
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

/** Undefined if there is no such pipe, or nobody has it open for reading. */
function openForWriting(path: string): number | undefined {
  let fd: number
  try {
    // Without O_NONBLOCK, it would wait for a reader.
    fd = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW)
  } catch (error) {
    if (isAbsence(error) || errnoOf(error) === 'ENXIO') return undefined
    throw createFailure(`open the pipe ${path}`, error)
  }
  if (fstatSync(fd).isFIFO()) return fd
  closeSync(fd)
  throw new ReeveError('failed', `expected a named pipe, found something else: ${path}`)
}
