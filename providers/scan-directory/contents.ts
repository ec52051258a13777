import { join } from 'node:path'
import type { WriteHost } from '../../src/core/provider.ts'
import type { Place } from './layout.ts'

/** Removes the files of a directory, and unless some are left out, the directory. Those below it stay. */
export function removeContents(directory: string, host: WriteHost, except: ReadonlySet<string> = new Set()): void {
  const names = host.readDirectory(directory)
  if (!names) return
  for (const name of names) {
    const path = join(directory, name)
    if (!except.has(path) && host.facts(path)?.kind !== 'directory') host.removeFile(path)
  }
  if (except.size === 0) host.removeDirectory(directory)
}

/** The service that reads the output, once nothing of it runs. */
export function removeLog({ directory }: Place, host: WriteHost): void {
  for (const name of ['log/supervise', 'log/event', 'log']) removeContents(join(directory, name), host)
}
