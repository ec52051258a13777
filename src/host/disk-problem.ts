import { statfsSync } from 'node:fs'
import { explainErrno } from './failure.ts'
import { findMount, resolveExisting } from './mount-points.ts'

/** Why nothing can be written to the directory now, whoever tries: its file system is full or read-only. Undefined: nothing is known. */
export function findDiskProblem(directory: string): string | undefined {
  const code = findMount(directory)?.isReadOnly ? 'EROFS' : isFull(directory) ? 'ENOSPC' : undefined
  return code && `cannot write to ${directory}: ${explainErrno(code, { path: directory })}`
}

function isFull(directory: string): boolean {
  const real = resolveExisting(directory)
  if (real === undefined) return false
  try {
    const { blocks, bfree, bavail, files, ffree } = statfsSync(real)
    const free = process.geteuid?.() === 0 ? bfree : bavail
    return (blocks > 0 && free === 0) || (files > 0 && ffree === 0)
  } catch {
    return false // whoever writes there finds out
  }
}
