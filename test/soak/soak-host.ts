import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { processProvider } from '../../providers/process/index.ts'
import type { Control } from '../../src/core/contracts/control.ts'
import { ReeveError } from '../../src/core/reeve-error.ts'
import { controlSocketPath, openSession, type Session } from '../../src/engine/session/session.ts'
import { connectControl } from '../../src/server/control-client.ts'
import { reevePath } from '../labs/cli-fixture.ts'
import { findSupervisorPid, powerOff } from '../labs/process-lab.ts'
import { findFreePort } from '../tools/free-port.ts'

/** Host of a soak: manifests, a state directory on a small file system of its own, and the built controller. */
export interface SoakHost extends AsyncDisposable {
  readonly directory: string
  readonly manifests: string
  readonly files: string
  readonly state: string
  /** Directory of the built-in supervisor. */
  readonly supervisorDirectory: string
  readonly marker: string
  /** Ports for the servers. */
  readonly ports: readonly number[]
  /** False: the state directory is on the machine's own disk, which must not be filled. */
  readonly hasOwnDisk: boolean
  readonly session: Session
  startController(): void
  /** Number of times it has ended by itself, and was started again. */
  endings(): number
  controllerPid(): number
  /** SIGKILL; resolves when it is gone. */
  killController(): Promise<void>
  supervisorPid(): number | undefined
  /** Throws ReeveError `unavailable` if the controller doesn't answer now. */
  control(): Promise<Control>
  /** Offset of the controller's wall clock to the machine's, in ms. */
  stepClock(ahead: number): void
  log(): string
}

/** In ms. */
const RESTART_DELAY = 200

/** Size of the file system that gets filled: enough for the files of a hundred services. */
const DISK_SIZE = '24m'

export interface SoakHostOptions {
  /** More of the host configuration. With `source`, manifests come from there. Given the directory of the host. */
  readonly settings?: (directory: string) => Readonly<Record<string, unknown>>
}

export async function createSoakHost({ settings }: SoakHostOptions = {}): Promise<SoakHost> {
  const directory = mkdtempSync(join(tmpdir(), 'reeve-soak-'))
  const path = (...names: string[]): string => join(directory, ...names)
  const [manifests, files, state, clock] = [path('manifests'), path('files'), path('state'), path('clock')]
  for (const made of [manifests, files, state]) mkdirSync(made)
  writeFileSync(clock, '0')
  const own = settings?.(directory) ?? {}
  const hasSource = 'source' in own
  const kind = { apiVersion: 'reeve/v1', kind: 'HostConfiguration' }
  writeFileSync(path('reeve.yaml'), JSON.stringify({ ...kind, stateDirectory: 'state', resync: '2s', ...own }))
  const hasOwnDisk = mountDisk(state)
  const ports = [await findFreePort(), await findFreePort()]
  const session = await openSession({
    config: path('reeve.yaml'),
    cwd: directory,
    ...(hasSource ? {} : { directory: manifests }),
    insecurePermissions: true,
    extraProviders: [processProvider],
  })
  const supervisorDirectory = path('state', 'process')
  let controller: ChildProcess | undefined
  let next: NodeJS.Timeout | undefined
  let isOver = false
  let endings = 0

  function controllerPid(): number {
    if (controller?.pid === undefined) throw new Error('there is no controller')
    return controller.pid
  }

  /** And again when it ends, as a service manager does. */
  function startController(): void {
    clearTimeout(next)
    const log = openSync(path('controller.log'), 'a')
    const clockModule = join(import.meta.dirname, 'stepped-clock.mjs')
    const args = [
      '--import',
      clockModule,
      reevePath,
      'run',
      ...(hasSource ? [] : ['manifests']),
      '--config',
      'reeve.yaml',
    ]
    const child = spawn(process.execPath, args, {
      cwd: directory,
      env: { PATH: process.env.PATH ?? '', HOME: directory, REEVE_SOAK_CLOCK: clock },
      stdio: ['ignore', log, log],
    })
    closeSync(log)
    controller = child
    child.once('exit', (_code, signal) => {
      if (isOver || signal === 'SIGKILL') return
      endings += 1
      next = setTimeout(startController, RESTART_DELAY)
    })
  }

  async function killController(): Promise<void> {
    const child = controller
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const gone = new Promise(resolve => child.once('exit', resolve))
    child.kill('SIGKILL')
    await gone
  }

  return {
    directory,
    manifests,
    files,
    state,
    supervisorDirectory,
    marker: basename(directory),
    ports,
    hasOwnDisk,
    session,
    startController,
    endings: () => endings,
    controllerPid,
    killController,
    supervisorPid: () => findSupervisorPid(supervisorDirectory),
    async control() {
      const found = await connectControl(controlSocketPath(session.configuration), session.clock)
      if (!found) throw new ReeveError('unavailable', 'the controller does not answer')
      return found
    },
    stepClock(ahead) {
      writeFileSync(`${clock}.tmp`, String(ahead))
      renameSync(`${clock}.tmp`, clock)
    },
    log: () => readFileSync(path('controller.log'), 'utf8'),
    async [Symbol.asyncDispose]() {
      isOver = true
      clearTimeout(next)
      await killController()
      await powerOff(supervisorDirectory)
      if (hasOwnDisk) spawnSync('umount', ['--lazy', state])
      rmSync(directory, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

/** As root only; with CI=true it has to succeed. */
function mountDisk(directory: string): boolean {
  if (process.geteuid?.() !== 0) return false
  const options = ['-t', 'tmpfs', '-o', `size=${DISK_SIZE},mode=0755`, 'reeve-soak', directory]
  const { status, stderr } = spawnSync('mount', options, { encoding: 'utf8' })
  if (status === 0) return true
  if (process.env.CI === 'true') throw new Error(`no file system of its own for the state directory: ${stderr}`)
  console.warn(`not here: the right to mount. Left out without it: the full disk (${stderr.trim()})`)
  return false
}
