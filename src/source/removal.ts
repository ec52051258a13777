import { join } from 'node:path'
import type { WriteHost } from '../core/contracts/host.ts'

/** Removes a file, or a directory with all that is in it. Follows no symlink. Does nothing if there is none. */
export function removeTree(path: string, host: WriteHost): void {
  const facts = host.facts(path)
  if (facts?.kind !== 'directory') {
    if (facts) host.removeFile(path)
    return
  }
  for (const name of host.readDirectory(path) ?? []) removeTree(join(path, name), host)
  host.removeDirectory(path)
}
