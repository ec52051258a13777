import { join } from 'node:path'
import type { WriteHost } from '../../src/core/provider.ts'
import type { Place } from './layout.ts'

/** Removes the files of a directory, and itself unless there are directories in it; of a link to one, the link. */
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

/** The service that reads the output, once nothing of it runs. */
export function removeLog({ directory }: Place, host: WriteHost): void {
  for (const name of ['log/supervise', 'log/event', 'log']) removeContents(join(directory, name), host)
}
