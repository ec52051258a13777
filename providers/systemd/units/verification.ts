import { dirname, relative } from 'node:path'
import type { Bus } from '../../../src/core/contracts/bus.ts'
import type { QueryFile, QueryResult, ReadHost } from '../../../src/core/contracts/host.ts'
import type { Action } from '../../../src/core/contracts/provider.ts'
import type { Definition } from '../../../src/core/model/definition.ts'
import { ReeveError } from '../../../src/core/reeve-error.ts'
import { sha256 } from '../../../src/host/sha256.ts'
import { readUnitPath } from '../bus/manager.ts'
import type { Layout } from './layout.ts'
import { readSections } from './unit-file.ts'
import { unitOf } from './unit-name.ts'
import { readUnitSearchPath, type UnitSearchPath } from './unit-search-path.ts'

/** Program for `ReadHost.query`: it only reads and reports. */
export const verifyQuery: readonly string[] = ['systemd-analyze', 'verify', '--man=no']

/** Time in ms that it may take while observing, as others wait for it. */
const PATIENCE = 8_000

/** Notices about settings that systemd accepts all the same: user `nobody`, an output with a new name today. */
const environment = { SYSTEMD_LOG_LEVEL: 'warning' }

/** Advice on settings that systemd applies as intended, though it comes as a warning: `KillMode=none`, `MemoryLimit=`. */
const advice = /this is (?:unsafe|not safe)|please use .* instead/i

/** Files to be written for a service. */
type Planned = Pick<Action, 'service' | 'definition'>

interface Look {
  readonly disk: Pick<UnitSearchPath, 'find'>
  readonly layout: Layout
  readonly host: ReadHost
  /** In ms. */
  readonly timeout: number
}

/**
 * Has `systemd-analyze verify`, if the host has it, check units and drop-ins before they are put in place. systemd itself
 * would ignore a misspelt key and report it only in its journal.
 */
export interface Verifier {
  /** Reasons why it would misread them, by service. A unit that names no other is checked once. */
  verify(planned: readonly Planned[], look: Look): Promise<ReadonlyMap<string, string>>
}

export function createVerifier(): Verifier {
  /** By the digest of the input. Undefined: no problem. */
  const known = new Map<string, string | undefined>()

  async function ask(checks: readonly Check[], look: Look): Promise<ReadonlyMap<string, string | undefined>> {
    const asked = checks.filter(({ digest }) => !known.has(digest))
    const files = asked.flatMap(check => check.files)
    if (files.length === 0) return known
    // A unit verified before may not be on the disk yet, and be required by another.
    const all = files.some(isRelated) ? checks.flatMap(check => check.files) : files
    const found = await analyze(all, look)
    if (!found) return new Map()
    const lines = found.stderr.split('\n')
    const answers = new Map(asked.map(({ own, digest }) => [digest, describeProblems(own, lines)]))
    for (const { digest, files } of asked) {
      // A missing unit may be added.
      const problem = answers.get(digest)
      if (problem === undefined || !files.some(isRelated)) known.set(digest, problem)
    }
    return new Map([...known, ...answers])
  }

  return {
    async verify(planned, look) {
      const checks = planned.map(one => makeCheck(one, look))
      const answers = await ask(checks, look)
      return new Map(
        checks.flatMap(({ service, digest }) => {
          const problem = answers.get(digest)
          return problem === undefined ? [] : [[service, problem] as const]
        }),
      )
    },
  }
}

/** Before a plan is shown. */
export async function verifyDeclared(
  services: readonly { readonly service: string; readonly definition: Definition }[],
  { bus, verifier, ...look }: Pick<Look, 'layout' | 'host'> & { readonly bus: Bus; readonly verifier: Verifier },
): Promise<ReadonlyMap<string, string>> {
  const disk = readUnitSearchPath(look.host, await readUnitPath(bus), services.length)
  return await verifier.verify(services, { ...look, disk, timeout: PATIENCE })
}

/** Undefined if the host lacks it. */
async function analyze(files: readonly QueryFile[], { layout, host, timeout }: Look): Promise<QueryResult | undefined> {
  const byName = new Map(files.map(file => [file.name, file]))
  const paths = [...byName.keys()].filter(name => dirname(name) === '.').map(name => `./${name}`)
  const scope = layout.isUser ? ['--user'] : []
  const run = (...options: readonly string[]): Promise<QueryResult> =>
    host.query([...verifyQuery, ...scope, ...options, ...paths], { timeout, environment, files: [...byName.values()] })
  try {
    if (files.some(isRelated)) return await run()
    const found = await run(aloneOption)
    return found.stderr.includes('unrecognized option') ? await run() : found
  } catch (error) {
    if (error instanceof ReeveError && error.code === 'unavailable') return undefined
    throw error
  }
}

/** Since systemd 250. Reading the units of a boot as well takes three times as long. */
const aloneOption = '--recursive-errors=no'

/** True if others have to be read to tell whether it could be started: one that it requires, or is ordered after. */
function isRelated({ content }: QueryFile): boolean {
  return Object.keys(readSections(content).Unit ?? {}).some(key => !aloneKeys.has(key))
}

const aloneKeys: ReadonlySet<string> = new Set(['Description', 'StartLimitIntervalSec'])

/** Input for one service. */
interface Check {
  readonly service: string
  /** Below the unit directory. */
  readonly own: readonly QueryFile[]
  /** With the unit that they add to, as it is on the disk. */
  readonly files: readonly QueryFile[]
  readonly digest: string
}

function makeCheck({ definition, service }: Planned, { disk, layout: { unitDirectory, isUser } }: Look): Check {
  const own = (definition?.files ?? []).map(({ path, content }) => ({ name: relative(unitDirectory, path), content }))
  const base = definition?.isAddition ? findBase(unitOf(service), disk) : []
  const files = base ? [...base, ...own] : []
  return { service, own, files, digest: sha256(JSON.stringify([isUser, files])) }
}

/** Undefined: there is none to read drop-ins with. */
function findBase(name: string, disk: Pick<UnitSearchPath, 'find'>): QueryFile[] | undefined {
  const unit = disk.find(name)
  return unit.kind === 'found' ? [{ name, content: unit.text }] : undefined
}

function describeProblems(own: readonly QueryFile[], lines: readonly string[]): string | undefined {
  const problems = own.flatMap(({ name }) => findProblems(name, lines))
  return problems.length === 0 ? undefined : `systemd would misread this unit: ${problems.join('; ')}`
}

/**
 * Messages about that file: by its path, or for a unit as a whole by its name. A missing program may be added, and without
 * it the start fails by itself.
 */
function findProblems(name: string, lines: readonly string[]): string[] {
  return lines.flatMap(line => {
    const [, place = '', what = ''] = /^(\S+?): (.*)$/.exec(line) ?? []
    const [said = ''] = place.split(':')
    const isMeant = said === name || said.endsWith(`/${name}`)
    if (!isMeant || what.includes('is not executable') || advice.test(what)) return []
    return [`${name}${place.slice(said.length)}: ${what}`]
  })
}
