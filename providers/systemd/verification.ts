import { dirname, join, relative } from 'node:path'
import type { Action, DefinitionFile, QueryResult, WriteHost } from '../../src/core/provider.ts'
import { ReeveError } from '../../src/core/reeve-error.ts'
import { type Application, attempt } from './batch.ts'
import type { Disk } from './disk.ts'
import { unitOf } from './unit-name.ts'

/** In ms, for a batch. */
const timeout = 30_000

/**
 * Has `systemd-analyze verify` read the units and drop-ins before they take the place of what is there, where the host has
 * it, and gives the actions whose files it takes; what it says of the others is reported. systemd itself would pass over a
 * misspelt key and say so in its journal only.
 */
export async function verifyUnits(
  actions: readonly Action[],
  disk: Disk,
  application: Application,
): Promise<readonly Action[]> {
  const { host, layout, report } = application
  const files = actions.flatMap(action => filesToVerify(action, disk, layout.unitDirectory))
  if (files.length === 0) return actions
  let found: QueryResult | undefined
  try {
    writeFiles(files, layout.checkDirectory, host)
    const units = files.map(({ name }) => name).filter(name => dirname(name) === '.')
    const paths = [...new Set(units)].map(name => join(layout.checkDirectory, name))
    const scope = layout.isUser ? ['--user'] : []
    found = await host.run(['systemd-analyze', ...scope, 'verify', '--man=no', ...paths], { timeout })
  } catch (error) {
    if (!(error instanceof ReeveError) || error.code !== 'unavailable') throw error
  } finally {
    removeFiles(layout.checkDirectory, host)
  }
  if (!found) return actions
  const lines = found.stderr.split('\n')
  return actions.filter(action =>
    attempt(action, report, () => {
      const own = (action.definition?.files ?? []).map(({ path }) => relative(layout.unitDirectory, path))
      const problems = own.flatMap(name => findProblems(name, join(layout.checkDirectory, name), lines))
      if (problems.length === 0) return
      throw new ReeveError('invalid', `systemd would not take the unit as it is meant: ${problems.join('; ')}`)
    }),
  )
}

interface CheckedFile {
  /** Below the directory of units: `web.service`, `web.service.d/limits.conf`. */
  readonly name: string
  readonly content: string
}

/** What only adds to a unit is read together with it, as it is on the disk. */
function filesToVerify({ definition, service }: Action, disk: Disk, directory: string): CheckedFile[] {
  if (!definition) return []
  const files = definition.files.map(({ path, content }: DefinitionFile) => ({
    name: relative(directory, path),
    content,
  }))
  if (!definition.isAddition) return files
  const unit = disk.find(unitOf(service))
  return unit.kind === 'found' ? [{ name: unitOf(service), content: unit.text }, ...files] : []
}

function writeFiles(files: readonly CheckedFile[], directory: string, host: WriteHost): void {
  host.makeDirectory(directory, { mode: 0o700 })
  for (const { name, content } of files) {
    const path = join(directory, name)
    if (dirname(path) !== directory) host.makeDirectory(dirname(path), { mode: 0o700 })
    host.writeFile(path, content, { mode: 0o600 })
  }
}

/** Also what an earlier run left, that was cut off here. */
function removeFiles(directory: string, host: WriteHost): void {
  for (const name of host.readDirectory(directory) ?? []) {
    const path = join(directory, name)
    if (host.facts(path)?.kind === 'directory') removeFiles(path, host)
    else host.removeFile(path)
  }
  host.removeDirectory(directory)
}

/**
 * What is said of that file: by its path, or of a unit as a whole by its name. A program may come later, and without it
 * the start fails by itself.
 */
function findProblems(name: string, path: string, lines: readonly string[]): string[] {
  return lines.flatMap(line => {
    const [, place = '', what = ''] = /^(\S+?): (.*)$/.exec(line) ?? []
    const [said] = place.split(':')
    if ((said !== path && said !== name) || what.includes('is not executable')) return []
    return [`${name}${place.slice(said.length)}: ${what}`]
  })
}
