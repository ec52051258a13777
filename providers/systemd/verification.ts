import { basename, dirname, join } from 'node:path'
import type { Action, QueryResult, WriteHost } from '../../src/core/provider.ts'
import { ReeveError } from '../../src/core/reeve-error.ts'
import { type Application, attempt } from './batch.ts'
import { hasSuffix } from './unit-name.ts'

/** In ms, for a batch. */
const timeout = 30_000

/**
 * Has `systemd-analyze verify` read the units before they take the place of what is there, where the host has it, and
 * gives the actions whose units it takes; what it says of the others is reported. systemd itself would pass over a
 * misspelt key and say so in its journal only.
 */
export async function verifyUnits(actions: readonly Action[], application: Application): Promise<readonly Action[]> {
  const { host, layout, report } = application
  const units = actions.flatMap(({ definition }) => definition?.files ?? []).filter(({ path }) => hasSuffix(path))
  if (units.length === 0) return actions
  const directory = openDirectory(actions, layout.checkDirectory, host)
  const paths = units.map(({ path }) => join(directory, basename(path)))
  let found: QueryResult | undefined
  try {
    for (const [index, path] of paths.entries()) host.writeFile(path, units[index]?.content ?? '', { mode: 0o600 })
    const scope = layout.isUser ? ['--user'] : []
    found = await host.run(['systemd-analyze', ...scope, 'verify', '--man=no', ...paths], { timeout })
  } catch (error) {
    if (!(error instanceof ReeveError) || error.code !== 'unavailable') throw error
  } finally {
    removeDirectory(directory, host)
    host.removeDirectory(layout.checkDirectory)
  }
  if (!found) return actions
  const lines = found.stderr.split('\n')
  return actions.filter(action =>
    attempt(action, report, () => {
      const problems = (action.definition?.files ?? []).flatMap(({ path }) => findProblems(basename(path), lines))
      if (problems.length === 0) return
      throw new ReeveError('invalid', `systemd would not take the unit as it is meant: ${problems.join('; ')}`)
    }),
  )
}

/** For each batch its own: another of this Reeve, or of another's, may be verified at the same time. */
function openDirectory(actions: readonly Action[], base: string, host: WriteHost): string {
  host.makeDirectory(base, { mode: 0o700 })
  // What an earlier run left, that was cut off here.
  for (const name of host.readDirectory(base) ?? []) {
    if (!host.process(Number.parseInt(name, 10))) removeDirectory(join(base, name), host)
  }
  const directory = join(base, `${process.pid}-${actions[0]?.service}`)
  host.makeDirectory(directory, { mode: 0o700 })
  return directory
}

function removeDirectory(directory: string, host: WriteHost): void {
  for (const name of host.readDirectory(directory) ?? []) host.removeFile(join(directory, name))
  host.removeDirectory(directory)
}

/** What is said of that file. A program may come later, and without it the start fails by itself. */
function findProblems(unit: string, lines: readonly string[]): string[] {
  return lines.flatMap(line => {
    const [, place, what] = /^(\S+?): (.*)$/.exec(line) ?? []
    if (place === undefined || what === undefined || what.includes('is not executable')) return []
    const [path = ''] = place.split(':')
    const isIts = path === unit || (basename(path) === unit && dirname(path) !== '.')
    return isIts ? `${place.slice(path.length - unit.length)}: ${what}` : []
  })
}
