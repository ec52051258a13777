import { dirname, join } from 'node:path'
import type { WriteHost } from '../../../src/core/contracts/host.ts'
import type { Definition, DefinitionFile } from '../../../src/core/model/definition.ts'
import { removeLog, unlink } from '../definition/contents.ts'
import type { Place } from '../layout.ts'
import { isLogSupervised } from '../observe/supervision.ts'
import { finishRecreation } from './directory-recreation.ts'
import type { Application } from './task.ts'

/** Files that a definition may consist of, besides its directories, its settings, and its marker. */
export const definitionFiles: readonly string[] = ['run', 'finish', 'check', 'down', 'notification-fd']

/** Directories of a definition that Reeve writes into. */
const writtenDirectories = ['log', 'control', 'reeve']

/** Optional files of a definition: those not in it are removed. */
const optionalFiles = ['check', 'notification-fd', 'log/run', 'reeve/reload', 'reeve/native-run', 'reeve/native-finish']

/** See script-input.ts. */
const recordFiles = ['claim', 'loaded', 'launched', 'ended', 'problem', 'log-problem']

/**
 * Writes a definition in place, each file in one step: a directory that is exchanged under its supervisor is lost to it. The
 * marker comes first, so that an interrupted install is known to be ours; the run script last. Where somebody else's run
 * script is taken over, the marker comes after it: until then the definition isn't ours, and must not be removed as if it
 * were (E19).
 */
export async function installDefinition(
  definition: Definition,
  place: Place,
  { host, findOrphan }: Pick<Application, 'host' | 'findOrphan'>,
): Promise<void> {
  // A definition that is linked before it exists must not be started when it appears.
  const wasLinked = host.facts(place.directory) !== undefined && isLinked(place, host)
  const isMarker = ({ path }: { path: string }): boolean => path === place.marker
  const isRun = ({ path }: { path: string }): boolean => path === join(place.directory, 'run')
  const { files } = definition
  finishRecreation(place, host)
  host.makeDirectory(place.directory, { mode: 0o755 })
  const isMarked = host.facts(place.marker) !== undefined || host.facts(place.lastMarker) !== undefined
  const isTakenOver = !isMarked && host.facts(join(place.directory, 'run')) !== undefined
  if (!isTakenOver) await writeParts(files.filter(isMarker), host)
  if (host.facts(place.lastMarker)) host.removeFile(place.lastMarker)
  // The targets don't belong to this definition alone.
  for (const name of writtenDirectories) unlink(join(place.directory, name), host)
  removeOthers(new Set(files.map(({ path }) => path)), place, host)
  const rest = files.filter(file => !isMarker(file) && !isRun(file))
  for (const directory of new Set(rest.map(({ path }) => dirname(path)))) {
    if (directory !== place.directory) host.makeDirectory(directory, { mode: 0o755 })
  }
  const down = wasLinked || host.facts(place.down) ? [] : [disabled(place)]
  await writeParts([...rest, ...down], host)
  await hideRecords(place, host)
  claimDeleted(place, host, findOrphan)
  await writeParts(files.filter(isRun), host)
  if (isTakenOver) await writeParts(files.filter(isMarker), host)
}

/** Records that scripts of older versions have written readable by everybody. */
async function hideRecords({ records }: Place, host: WriteHost): Promise<void> {
  const open = recordFiles
    .map(name => join(records, name))
    .filter(path => ((host.facts(path)?.mode ?? 0) & 0o077) !== 0)
  if (open.length > 0) await host.run(['chmod', '--', '600', ...open])
}

/** Nothing has run here yet; in a directory that existed before, something may have. */
function claimDeleted({ directory, records }: Place, host: WriteHost, findOrphan: Application['findOrphan']): void {
  const path = join(records, 'claim')
  const claim = host.facts(path) ? undefined : findOrphan(directory)
  if (claim !== undefined) host.writeFile(path, claim, { mode: 0o600 })
}

/** Only those that differ: leftovers of an interrupted write are removed by the next one in its directory. */
async function writeParts(files: readonly DefinitionFile[], host: WriteHost): Promise<void> {
  const different = files.filter(({ path, content, mode }) => {
    const facts = host.facts(path)
    return facts?.kind !== 'file' || facts.mode !== mode || host.readText(path) !== content
  })
  if (different.length > 0) await host.writeFiles(different)
}

function removeOthers(declared: ReadonlySet<string>, place: Place, host: WriteHost): void {
  const control = (host.readDirectory(join(place.directory, 'control')) ?? []).map(name => `control/${name}`)
  for (const name of [...optionalFiles, ...control]) {
    const path = join(place.directory, name)
    if (!declared.has(path) && host.facts(path)) host.removeFile(path)
  }
}

/**
 * Links a definition into the scan directory, unless it is linked. It is linked disabled: enabling must not start a service
 * that has to wait for another.
 */
export function linkService(place: Place, { family, host }: Pick<Application, 'family' | 'host'>): boolean {
  if (isLinked(place, host)) return false
  // Directory of a log that no longer exists, whose removal was interrupted: a scanner would start a supervisor for it.
  const hasLog = host.facts(join(place.directory, 'log/run')) !== undefined
  if (!hasLog && !isLogSupervised(family, place, host)) removeLog(place, host)
  const { path, content, mode } = disabled(place)
  if (!host.facts(path)) host.writeFile(path, content, { mode })
  host.makeLink(place.link, place.directory)
  return true
}

export function isLinked({ link, directory }: Place, host: WriteHost): boolean {
  return host.realPath(link) === host.realPath(directory)
}

/** File by which a service isn't started when its supervisor starts. */
function disabled({ down }: Place): DefinitionFile {
  return { path: down, content: '', mode: 0o644 }
}
