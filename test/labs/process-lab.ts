import { spawn } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { processProvider } from '../../providers/process/index.ts'
import { layoutOf } from '../../providers/process/shared/layout.ts'
import { readCommandLine, scriptOf } from '../../providers/process/supervisor/run-facts.ts'
import { eventually } from '../../src/conformance/eventually.ts'
import type { ConformanceHarness, ConformanceSupervisor } from '../../src/conformance/index.ts'
import { isAlive } from '../../src/conformance/lab.ts'
import { findHolder } from '../../src/host/lock.ts'
import { createReadHost } from '../../src/host/read-host.ts'

/** Harness of the built-in supervisor, which starts on demand: how to observe and disturb it. */
export const processHarness: ConformanceHarness = {
  provider: processProvider,
  async setUp(root: string): Promise<ConformanceSupervisor> {
    const directory = join(root, 'process')
    return {
      options: { directory },
      watched: [root],
      meddle: definition => definition.replace('"policy": "always"', '"policy": "never"'),
      boot: () => boot(directory),
      async makeUnavailable() {
        const pid = await supervisorPid(directory)
        process.kill(pid, 'SIGSTOP')
        // On a busy machine it may run on for a moment.
        await eventually('the supervisor to be stopped', () => createReadHost().process(pid)?.state === 'T')
      },
      async makeAvailable() {
        process.kill(await supervisorPid(directory), 'SIGCONT')
      },
      async abandon() {
        process.kill(await supervisorPid(directory), 'SIGKILL')
      },
      tearDown: () => powerOff(directory),
    }
  },
}

/** Its process, by its lock; undefined if none runs. */
export function findSupervisorPid(directory: string): number | undefined {
  return findHolder(join(directory, 'lock'), createReadHost())?.pid
}

async function supervisorPid(directory: string): Promise<number> {
  await eventually('the supervisor to run', () => findSupervisorPid(directory) !== undefined)
  return findSupervisorPid(directory) ?? Number.NaN
}

/** Kills everything: the supervisor, the shims and the services with their groups. */
export async function powerOff(directory: string): Promise<void> {
  const supervisor = findSupervisorPid(directory)
  if (supervisor !== undefined) {
    killIfThere(supervisor)
    await eventually('the supervisor to be gone', () => !isAlive(supervisor))
  }
  const { runs } = layoutOf(directory)
  const pids = [...listRecorded(runs), ...listUnrecorded(runs)]
  for (const pid of pids) for (const target of [-pid, pid]) killIfThere(target)
  await eventually('all processes to be gone', () => !pids.some(isAlive))
}

function listRecorded(runs: string): number[] {
  return listDirectory(runs).flatMap(name => {
    if (!name.endsWith('.pid') && !name.endsWith('.shim')) return []
    const pid = Number.parseInt(readFileSync(join(runs, name), 'utf8'), 10)
    return Number.isInteger(pid) && isAlive(pid) && isOfRun(pid, join(runs, name)) ? [pid] : []
  })
}

/** Shims and their children, by the process table: on a full disk there are no records. */
function listUnrecorded(runs: string): number[] {
  const host = createReadHost()
  const pids = host.processes()
  const shims = new Set(pids.filter(pid => scriptOf(readCommandLine(host, pid))?.startsWith(`${runs}/`)))
  return pids.filter(pid => shims.has(pid) || shims.has(host.process(pid)?.parent ?? 0))
}

/** The kernel's boot id can't be changed, so the records are changed to an earlier boot. */
async function boot(directory: string): Promise<void> {
  await powerOff(directory)
  for (const name of listDirectory(join(directory, 'state'))) {
    const path = join(directory, 'state', name)
    const record: unknown = JSON.parse(readFileSync(path, 'utf8'))
    if (typeof record !== 'object' || record === null) continue
    writeFileSync(`${path}.earlier`, JSON.stringify({ ...record, boot: 'an earlier boot' }))
    renameSync(`${path}.earlier`, path)
  }
  startSupervisor(directory)
  await supervisorPid(directory)
}

export function startSupervisor(directory: string): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const program = join(import.meta.dirname, '../../dist/supervisor.js')
  spawn(process.execPath, [program, directory], { detached: true, stdio: 'ignore' }).unref()
}

/** The shim's record is its own line of /proc/PID/stat: pid and start time have to match. */
function isOfRun(pid: number, path: string): boolean {
  const facts = createReadHost().process(pid)
  const recorded = readFileSync(path, 'utf8')
  return facts !== undefined && recorded.includes(` ${facts.startTime} `)
}

/** SIGKILL. It may have ended meanwhile. */
export function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
  }
}

function listDirectory(path: string): string[] {
  try {
    return readdirSync(path)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
    throw error
  }
}
