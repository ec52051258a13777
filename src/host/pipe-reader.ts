import { closeSync, constants, fstatSync, openSync } from 'node:fs'
import { ReeveError } from '../core/reeve-error.ts'
import { createFailure, errnoOf, isAbsence } from './failure.ts'

/**
 * True if somebody has the named pipe open for reading; false too if there is none. Supervisors show so that they live. Opening for
 * writing is the only way to ask the kernel; nothing is written.
 */
export function isPipeRead(path: string): boolean {
  const fd = openReadPipe(path)
  if (fd === undefined) return false
  closeSync(fd)
  return true
}

/** Descriptor for writing; undefined if there is no such pipe, or nobody has it open for reading. */
export function openReadPipe(path: string): number | undefined {
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
