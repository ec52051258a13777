import { join } from 'node:path'
import type { ScratchHost } from '../host/scratch.ts'

/** Removes a file, or a directory with all that is in it. Follows no symlink. Does nothing if there is none. */
export function removeTree(path: string, host: ScratchHost): void {
  const facts = host.facts(path)
  if (facts?.kind !== 'directory') {
    if (facts) host.removeFile(path)
    return
  }
  for (const name of host.readDirectory(path) ?? []) removeTree(join(path, name), host)
  host.removeDirectory(path)
}

/** Removes what a killed git has left behind in its repository, and every later one would fail for. */
export function removeLocks(path: string, host: ScratchHost): void {
  for (const name of host.readDirectory(path) ?? []) {
    const entry = join(path, name)
    if (host.facts(entry)?.kind === 'directory') removeLocks(entry, host)
    else if (name.endsWith('.lock') || name.startsWith('tmp_') || name.startsWith('.tmp-')) host.removeFile(entry)
  }
}
