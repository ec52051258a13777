import { join } from 'node:path'
import type { WriteHost } from '../../../src/core/contracts/host.ts'
import type { Place } from '../layout.ts'

/** Removes the files of a directory, and itself unless it contains directories; of a link to a directory, only the link. */
export function removeContents(directory: string, host: WriteHost): void {
  const names = host.readDirectory(directory)
  if (!names) return
  for (const name of names) {
    const path = join(directory, name)
    if (host.facts(path)?.kind !== 'directory') host.removeFile(path)
  }
  if (host.facts(directory)?.kind === 'symlink') host.removeFile(directory)
  else host.removeDirectory(directory)
}

/**
 * Directory of the service that reads the output, to be removed once nothing of it runs. One that is only linked here
 * belongs to others too.
 */
export function removeLog({ directory }: Place, host: WriteHost): void {
  unlink(join(directory, 'log'), host)
  for (const name of ['log/supervise', 'log/event', 'log']) removeContents(join(directory, name), host)
}

/** Removes a link, and leaves its target. */
export function unlink(path: string, host: WriteHost): void {
  if (host.facts(path)?.kind === 'symlink') host.removeFile(path)
}
