import { join } from 'node:path'
import type { WriteHost } from '../../../src/core/contracts/host.ts'
import type { Place } from '../layout.ts'

/**
 * Moves a definition without a running service into a new directory: svscan knows a service by its inode, and looks for a
 * log only when it first sees one.
 */
export function recreateDirectory(place: Place, host: WriteHost): void {
  host.moveFile(place.directory, place.former)
  finishRecreation(place, host)
}

/** Completes an interrupted recreation. Files that were written since stay. */
export function finishRecreation(place: Place, host: WriteHost): void {
  if (!host.facts(place.former)) return
  host.makeDirectory(place.directory, { mode: 0o755 })
  moveContents(place.former, place.directory, host)
}

function moveContents(from: string, to: string, host: WriteHost): void {
  for (const name of host.readDirectory(from) ?? []) {
    const [source, target] = [join(from, name), join(to, name)]
    if (!host.facts(target)) host.moveFile(source, target)
    else if (host.facts(source)?.kind === 'directory') moveContents(source, target, host)
    else host.removeFile(source)
  }
  host.removeDirectory(from)
}
