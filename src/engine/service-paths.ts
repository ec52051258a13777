import type { Process } from '../core/facility.ts'
import type { ReadHost } from '../core/provider.ts'
import { findUnsafeFilePart } from '../host/file-safety.ts'

/**
 * The paths of a process that others than root can lead elsewhere: root must not open them for it, but its own user may (S8).
 * Where Reeve and the service are the same user, there are none: it makes no difference who opens them.
 */
export function findServicePaths(process: Process, host: ReadHost): ReadonlySet<string> {
  const { user, environment, environmentFiles, output } = process
  if (host.userId() !== 0) return new Set()
  if (user !== undefined && host.findUser(user)?.uid === 0) return new Set()
  const secrets = Object.values(environment).flatMap(value => (typeof value === 'string' ? [] : [value.fromFile]))
  const paths = [...secrets, ...environmentFiles, ...(output ? [output.file] : [])]
  return new Set(paths.filter(path => isUnsafe(path, host)))
}

function isUnsafe(path: string, host: ReadHost): boolean {
  try {
    return findUnsafeFilePart(path, host) !== undefined
  } catch {
    return true // root can't tell, so it keeps away
  }
}
