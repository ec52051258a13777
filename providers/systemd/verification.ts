import { dirname, join, relative } from 'node:path'
import type { Action, QueryResult, WriteHost } from '../../src/core/provider.ts'
import { ReeveError } from '../../src/core/reeve-error.ts'
import { type Application, attempt } from './batch.ts'
import type { Disk } from './disk.ts'
import type { Layout } from './layout.ts'
import { sha256 } from './loaded.ts'
import { readSections } from './unit-file.ts'
import { unitOf } from './unit-name.ts'

/** In ms, for a batch. */
const timeout = 30_000

/** Its notices tell of what systemd takes all the same: user `nobody`, an output that is called otherwise today. */
const environment = { SYSTEMD_LOG_LEVEL: 'warning' }

/** Advice on what systemd takes as it is meant, though it comes as a warning: `KillMode=none`, `MemoryLimit=`. */
const advice = /this is (?:unsafe|not safe)|please use .* instead/i

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
  const { host, layout, report, verified } = application
  clearAway(layout.checkDirectory, host)
  const checks = actions.map(action => makeCheck(action, disk, layout))
  const files = checks.filter(({ digest }) => !verified.has(digest)).flatMap(check => check.files)
  if (files.length === 0) return actions
  const directory = openDirectory(actions, layout.checkDirectory, host)
  let found: QueryResult | undefined
  try {
    // What was verified once may not be on the disk yet, and be required by another.
    writeFiles(files.some(isRelated) ? checks.flatMap(check => check.files) : files, directory, host)
    found = await analyze(files, directory, application)
  } catch (error) {
    if (!(error instanceof ReeveError) || error.code !== 'unavailable') throw error
  } finally {
    remove(directory, host)
    host.removeDirectory(layout.checkDirectory)
  }
  if (!found) return actions
  const lines = found.stderr.split('\n')
  const taken = checks.filter(({ action, own }) =>
    attempt(action, report, () => {
      const problems = own.flatMap(({ name }) => findProblems(name, join(directory, name), lines))
      if (problems.length === 0) return
      throw new ReeveError('invalid', `systemd would not take the unit as it is meant: ${problems.join('; ')}`)
    }),
  )
  for (const { digest } of taken) verified.add(digest)
  return taken.map(({ action }) => action)
}

/** Throws ReeveError; `unavailable` where the host doesn't have it. */
async function analyze(
  files: readonly CheckedFile[],
  directory: string,
  { host, layout }: Application,
): Promise<QueryResult> {
  const names = files.map(({ name }) => name).filter(name => dirname(name) === '.')
  const paths = [...new Set(names)].map(name => join(directory, name))
  const scope = layout.isUser ? ['--user'] : []
  const run = (...options: readonly string[]): Promise<QueryResult> =>
    host.run(['systemd-analyze', ...scope, 'verify', '--man=no', ...options, ...paths], { timeout, environment })
  if (files.some(isRelated)) return run()
  const found = await run(aloneOption)
  return found.stderr.includes('unrecognized option') ? run() : found
}

/** Since systemd 250. To read what a boot consists of as well takes three times as long. */
const aloneOption = '--recursive-errors=no'

/** True if others have to be read to tell whether it could be started: one that it requires, or is to come after. */
function isRelated({ content }: CheckedFile): boolean {
  return Object.keys(readSections(content).Unit ?? {}).some(key => !aloneKeys.has(key))
}

const aloneKeys: ReadonlySet<string> = new Set(['Description', 'StartLimitIntervalSec'])

/** What is to be read of one action. */
interface Check {
  readonly action: Action
  readonly own: readonly CheckedFile[]
  /** With the unit that they add to, as it is on the disk. */
  readonly files: readonly CheckedFile[]
  readonly digest: string
}

interface CheckedFile {
  /** Below the directory of units: `web.service`, `web.service.d/limits.conf`. */
  readonly name: string
  readonly content: string
}

function makeCheck(action: Action, disk: Disk, { unitDirectory, isUser }: Layout): Check {
  const { definition, service } = action
  const own = (definition?.files ?? []).map(({ path, content }) => ({ name: relative(unitDirectory, path), content }))
  const base = definition?.isAddition ? findBase(unitOf(service), disk) : []
  const files = base ? [...base, ...own] : []
  return { action, own, files, digest: sha256(JSON.stringify([isUser, files])) }
}

/** Undefined: there is none that drop-ins could be read with. */
function findBase(name: string, disk: Disk): CheckedFile[] | undefined {
  const unit = disk.find(name)
  return unit.kind === 'found' ? [{ name, content: unit.text }] : undefined
}

/** What an earlier run left, that was cut off here. */
function clearAway(base: string, host: WriteHost): void {
  const names = host.readDirectory(base)
  if (!names) return
  for (const name of names) if (!host.process(Number.parseInt(name, 10))) remove(join(base, name), host)
  host.removeDirectory(base)
}

/** For each batch its own: another one, of this Reeve or of another, may be verified at the same time. */
function openDirectory(actions: readonly Action[], base: string, host: WriteHost): string {
  host.makeDirectory(base, { mode: 0o700 })
  const directory = join(base, `${process.pid}-${actions[0]?.service}`)
  host.makeDirectory(directory, { mode: 0o700 })
  return directory
}

function writeFiles(files: readonly CheckedFile[], directory: string, host: WriteHost): void {
  for (const { name, content } of files) {
    const path = join(directory, name)
    if (dirname(path) !== directory) host.makeDirectory(dirname(path), { mode: 0o700 })
    host.writeFile(path, content, { mode: 0o600 })
  }
}

/** With all that is in it. */
function remove(path: string, host: WriteHost): void {
  if (host.facts(path)?.kind === 'directory') {
    for (const name of host.readDirectory(path) ?? []) remove(join(path, name), host)
    host.removeDirectory(path)
  } else host.removeFile(path)
}

/**
 * What is said of that file: by its path, or of a unit as a whole by its name. A program may come later, and without it
 * the start fails by itself.
 */
function findProblems(name: string, path: string, lines: readonly string[]): string[] {
  return lines.flatMap(line => {
    const [, place = '', what = ''] = /^(\S+?): (.*)$/.exec(line) ?? []
    const [said] = place.split(':')
    if ((said !== path && said !== name) || what.includes('is not executable') || advice.test(what)) return []
    return [`${name}${place.slice(said.length)}: ${what}`]
  })
}
