import { dirname, join } from 'node:path'
import type { Definition, DefinitionFile, WriteHost } from '../../src/core/provider.ts'
import type { Place } from './layout.ts'
import type { Application } from './task.ts'

/** Files that a definition may have or not: those that it hasn't are taken away. */
const optionalFiles = ['check', 'notification-fd', 'log/run', 'reeve/reload', 'reeve/native-run', 'reeve/native-finish']

/**
 * Writes a definition in place, each file in one step: a directory that is exchanged under its supervisor is lost to it.
 * The marker comes first, so that whatever is cut off is known to be ours; the run script last.
 */
export function installDefinition(definition: Definition, place: Place, host: WriteHost): void {
  const isMarker = ({ path }: { path: string }): boolean => path === place.marker
  const isRun = ({ path }: { path: string }): boolean => path === join(place.directory, 'run')
  const { files } = definition
  host.makeDirectory(place.directory, { mode: 0o755 })
  const rest = files.filter(file => !isMarker(file) && !isRun(file))
  for (const file of files.filter(isMarker)) writePart(file, host)
  if (host.facts(place.lastMarker)) host.removeFile(place.lastMarker)
  removeOthers(new Set(files.map(({ path }) => path)), place, host)
  const made = new Set([place.directory])
  for (const file of [...rest, ...files.filter(isRun)]) {
    const directory = dirname(file.path)
    if (!made.has(directory)) host.makeDirectory(directory, { mode: 0o755 })
    made.add(directory)
    writePart(file, host)
  }
}

/** Only where it differs: of a write that was cut off, the next one in its directory takes away what is left. */
function writePart({ path, content, mode }: DefinitionFile, host: WriteHost): void {
  const facts = host.facts(path)
  const isSame = facts?.kind === 'file' && facts.mode === mode && host.readText(path) === content
  if (!isSame) host.writeFile(path, content, { mode })
}

function removeOthers(declared: ReadonlySet<string>, place: Place, host: WriteHost): void {
  const control = (host.readDirectory(join(place.directory, 'control')) ?? []).map(name => `control/${name}`)
  for (const name of [...optionalFiles, ...control]) {
    const path = join(place.directory, name)
    if (!declared.has(path) && host.facts(path)) host.removeFile(path)
  }
}

/**
 * Links a definition into the scanner's directory, where it isn't yet. It is linked disabled: being enabled must not start
 * what is to wait for something else.
 */
export function linkService(place: Place, { host }: Pick<Application, 'host'>): boolean {
  if (host.realPath(place.link) === host.realPath(place.directory)) return false
  if (!host.facts(place.down)) host.writeFile(place.down, '', { mode: 0o644 })
  host.makeLink(place.link, place.directory)
  return true
}
