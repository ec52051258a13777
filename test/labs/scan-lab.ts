import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { chmodSync, chownSync, mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { test } from 'vitest'
import { daemontoolsProvider } from '../../providers/daemontools/index.ts'
import { runitProvider } from '../../providers/runit/index.ts'
import { s6Provider } from '../../providers/s6/index.ts'
import { eventually } from '../../src/conformance/eventually.ts'
import type { ConformanceHarness, ConformanceSupervisor } from '../../src/conformance/index.ts'
import { isAlive, type Lab } from '../../src/conformance/lab.ts'
import type { ProcessFacts } from '../../src/core/contracts/host.ts'
import type { Provider } from '../../src/core/contracts/provider.ts'
import { createReadHost } from '../../src/host/read-host.ts'
import type { HostUser } from '../tools/host-user.ts'

interface ScanFamily {
  readonly provider: Provider
  readonly scanner: string
  /** Whether its scanner takes commands by now. Absent: it takes none. */
  readonly listens?: (services: string) => boolean
  /** Command line of the scanner without its directory. */
  readonly command: readonly string[]
  /** Absent: it runs as the user of the tests. */
  readonly user?: number
}

export const nobody = 65_534

const runit: ScanFamily = { provider: runitProvider, scanner: 'runsvdir', command: ['runsvdir', '-P'] }
// By default it accepts at most 500.
const s6: ScanFamily = {
  provider: s6Provider,
  scanner: 's6-svscan',
  listens: services => spawnSync('s6-svscanctl', ['-a', services]).status === 0,
  command: ['s6-svscan', '-c', '2000'],
}
const daemontools: ScanFamily = { provider: daemontoolsProvider, scanner: 'svscan', command: ['svscan'] }

export const runitHarness: ConformanceHarness = createHarness(runit)
export const s6Harness: ConformanceHarness = createHarness(s6)
export const daemontoolsHarness: ConformanceHarness = createHarness(daemontools)

/** Harness whose scanner is started by that command line. */
export function createS6Harness(command: readonly string[]): ConformanceHarness {
  return createHarness({ ...s6, command })
}

/**
 * All harnesses, with the program that each needs. The scanner of `userHarness` runs as `nobody`, that of `groupHarness` as
 * root with a supplementary group, that of `lendingHarness` with an open file, three times, that only root can read.
 */
export const scanFamilies: readonly {
  readonly scanner: string
  readonly harness: ConformanceHarness
  readonly userHarness: ConformanceHarness
  readonly groupHarness: ConformanceHarness
  readonly lendingHarness: ConformanceHarness
}[] = [
  { scanner: runit.scanner, harness: runitHarness, ...createOthers(runit) },
  { scanner: s6.scanner, harness: s6Harness, ...createOthers(s6) },
  { scanner: daemontools.scanner, harness: daemontoolsHarness, ...createOthers(daemontools) },
]

/** Command line that runs another one as that user; only root can do so. */
export function asUser(command: readonly string[], user: number = nobody): readonly string[] {
  return ['setpriv', `--reuid=${user}`, `--regid=${user}`, '--clear-groups', '--', ...command]
}

/** Test of a feature that only some of them have: for the others there is no test, not a skipped one. */
export function testWhere(applies: boolean): (name: string, run: () => Promise<void>) => void {
  return (name, run) => {
    if (applies) test.concurrent(name, run)
  }
}

function createOthers(family: ScanFamily): {
  userHarness: ConformanceHarness
  groupHarness: ConformanceHarness
  lendingHarness: ConformanceHarness
} {
  const inGroup = ['setpriv', `--groups=0,${nobody}`, '--', ...family.command]
  const lending = ['/bin/bash', '-c', 'exec 7</etc/shadow 20<&7 200<&7; exec "$@"', 'sh', ...family.command]
  return {
    userHarness: createHarness({ ...family, user: nobody }),
    groupHarness: createHarness({ ...family, command: inGroup }),
    lendingHarness: createHarness({ ...family, command: lending }),
  }
}

function createHarness({ command: plain, ...family }: ScanFamily): ConformanceHarness {
  const { provider, user } = family
  const command = user === undefined ? plain : asUser(plain, user)
  return {
    provider,
    async setUp(root: string): Promise<ConformanceSupervisor> {
      const services = join(root, 'service')
      const definitions = join(root, 'sv')
      for (const directory of [services, definitions]) {
        mkdirSync(directory)
        if (user !== undefined) chownSync(directory, user, user)
      }
      let scanner = await start({ ...family, command }, services)
      return {
        options: { serviceDirectory: services, definitionDirectory: definitions },
        watched: [services, definitions],
        meddle: text => text.replace('sha256sum', 'true sha256sum'),
        async boot() {
          await powerOff(scanner, definitions)
          for (const service of readdirSync(definitions)) {
            // As on a host where it is in memory, and no status outlives the boot.
            for (const path of ['supervise', 'log/supervise']) {
              rmSync(join(definitions, service, path), { recursive: true, force: true })
            }
          }
          scanner = await start({ ...family, command }, services)
        },
        async makeUnavailable() {
          scanner.kill('SIGSTOP')
          await eventually('it to stand still', () => createReadHost().process(scanner.pid ?? 0)?.state === 'T')
        },
        async makeAvailable() {
          scanner.kill('SIGCONT')
        },
        tearDown: () => powerOff(scanner, definitions),
      }
    },
  }
}

async function start({ command, scanner, listens }: ScanFamily, services: string): Promise<ChildProcess> {
  const [program = '', ...options] = command
  const running = spawn(program, [...options, services], { stdio: 'ignore', detached: true })
  await eventually(`${scanner} to run and listen`, () => {
    // Programs that run it, such as setpriv and strace, have its process first.
    const [now = ''] = readQuietly(`/proc/${running.pid}/cmdline`).split('\0')
    return basename(now) === scanner && (listens?.(services) ?? true)
  })
  return running
}

/** Kills everything at once: the scanner, and all processes that work in the definitions or were started from there. */
async function powerOff(scanner: ChildProcess, definitions: string): Promise<void> {
  scanner.kill('SIGKILL')
  await eventually('all processes to be gone', () => {
    const found = findProcesses(definitions)
    for (const { pid, group } of found) killQuietly(pid === group ? -pid : pid)
    return found.length === 0
  })
}

/** Processes that work in a definition, those named by a claim, and their children. */
function findProcesses(definitions: string): ProcessFacts[] {
  const host = createReadHost()
  const all = host.processes().flatMap(pid => host.process(pid) ?? [])
  const claims = new Set(readdirSync(definitions).map(name => readQuietly(join(definitions, name, 'reeve/claim'))))
  const roots = all.filter(
    ({ pid, startTime }) =>
      readLinkQuietly(`/proc/${pid}/cwd`).startsWith(definitions) ||
      [...claims].some(claim => claim.startsWith(`${pid} ${startTime} `)),
  )
  const found = new Set(roots.map(({ pid }) => pid))
  for (let before = 0; before !== found.size; ) {
    before = found.size
    for (const { pid, parent, group } of all)
      if (found.has(parent) || (group !== pid && found.has(group))) found.add(pid)
  }
  return all.filter(({ pid }) => found.has(pid) && isAlive(pid))
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
  }
}

function readLinkQuietly(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    return ''
  }
}

function readQuietly(path: string): string {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return ''
  }
}

/** A directory of the lab with this mode and owner. Default: root. */
export function makeDirectoryIn(lab: Lab, path: string, mode: number, owner?: Pick<HostUser, 'uid' | 'gid'>): string {
  const directory = join(lab.directory, path)
  mkdirSync(directory)
  chownSync(directory, owner?.uid ?? 0, owner?.gid ?? 0)
  chmodSync(directory, mode)
  return directory
}

/** Path of a file in the definition of `web`. */
export async function definitionPath(lab: Lab, file: string): Promise<string> {
  const found = (await lab.definitionPaths('web')).find(path => path.endsWith(`/web/${file}`))
  if (found === undefined) throw new Error(`there is no ${file} in the definition`)
  return found
}

/** Directory of the definition of `web`. */
export async function serviceDirectoryOf(lab: Lab): Promise<string> {
  return dirname(await definitionPath(lab, 'run'))
}
