import { join } from 'node:path'
import { removeContents, removeLog } from '../definition/contents.ts'
import { definitionFiles } from './installation.ts'
import { endSupervisor } from './pickup.ts'
import type { Task } from './task.ts'
import { stopService } from './verbs.ts'

/** Directories whose contents are Reeve's or the supervisor's, and are removed with the definition. */
const directories = ['supervise', 'control', 'reeve', 'event']

/**
 * Removes a service: first its link, as the scanner would restart it, then its supervisor, then its files. The marker is
 * removed last, from beside the directory, so that leftovers of a crash are found again at any time.
 */
export async function removeDefinition(task: Task): Promise<void> {
  const { place, host } = task
  const isLinked = host.facts(place.link)?.kind === 'symlink'
  const leadsHere = isLinked && host.realPath(place.link) === host.realPath(place.directory)
  if (leadsHere) host.removeFile(place.link)
  await stopService(task)
  await endSupervisor(task)
  if (leadsHere) await task.announce()
  removeLog(place, host)
  for (const name of directories) removeContents(join(place.directory, name), host)
  // Files of others stay, and the directory with them.
  for (const name of [...definitionFiles, ...task.family.scripts.settings]) {
    const path = join(place.directory, name)
    if (host.facts(path)) host.removeFile(path)
  }
  if (host.facts(place.marker)) host.moveFile(place.marker, place.lastMarker)
  host.removeDirectory(place.directory)
  if (host.facts(place.lastMarker)) host.removeFile(place.lastMarker)
}
