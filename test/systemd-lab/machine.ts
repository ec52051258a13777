import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type MachineKind, makeImage } from './image.ts'

/** A real init, booted as pid 1 of its own namespaces. */
export interface Machine {
  /** Pid of its process 1, seen from outside. */
  readonly pid: number
  /** Its root directory, seen from outside. */
  readonly root: string
  /** Command line that runs a command line inside. */
  enter(command: readonly string[]): readonly [string, ...string[]]
  /** Runs a command line inside and returns its output; throws if it fails. */
  run(...command: string[]): string
  stop(): Promise<void>
}

const project = join(import.meta.dirname, '../..')

/** Reason why no machine can be booted here; undefined if one can. */
export function findBootProblem(): string | undefined {
  if (process.geteuid?.() !== 0) return 'it takes root'
  if (findCgroupMount() === undefined) return 'there is no cgroup2 file system'
  const args = ['--fork', '--pid', '--mount', '--uts', '--ipc', '--cgroup', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']
  const { status, stderr } = spawnSync('unshare', args, { encoding: 'utf8' })
  return status === 0 ? undefined : `namespaces can't be made (${(stderr ?? 'no unshare').trim()})`
}

/** Resolves when it has booted. The machine ends with this process at the latest. */
export async function startMachine(kind: MachineKind): Promise<Machine> {
  const image = await makeImage(kind)
  const work = mkdtempSync(join(tmpdir(), 'reeve-machine-'))
  const cgroup = join(findCgroupMount() ?? '', `reeve-machine-${process.pid}-${work.slice(-6)}`)
  mkdirSync(cgroup)
  // Directory where harnesses leave their tables.
  const report = join(project, 'test/report')
  mkdirSync(report, { recursive: true })
  // Node, the project, and the target of node_modules if that is a link.
  const shared = new Set([process.execPath, project, join(project, 'node_modules')].map(path => realpathSync(path)))
  const args = [join(import.meta.dirname, 'boot.sh'), cgroup, image, work, report, ...shared]
  const child = spawn('/bin/sh', args, { stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-4_000)
    })
  }
  const ended = new Promise<void>(resolve => child.once('close', () => resolve()))

  async function stop(): Promise<void> {
    child.kill('SIGKILL')
    await ended
    await removeCgroup(cgroup)
    rmSync(work, { recursive: true })
  }

  try {
    const pid = await findInit(child, kind === 'systemd' ? 'systemd' : 'init')
    const enter = (command: readonly string[]): readonly [string, ...string[]] => [
      'nsenter',
      ...['--target', String(pid), '--mount', '--pid', '--ipc', '--uts', '--cgroup', '--', ...command],
    ]
    const run = (...command: string[]): string => {
      const [program, ...rest] = enter(command)
      const { status, stdout, stderr } = spawnSync(program, rest, { encoding: 'utf8' })
      if (status !== 0) throw new Error(`${command.join(' ')} gave ${status}: ${stdout}${stderr}`)
      return stdout
    }
    if (kind === 'systemd') {
      await until(child, () => existsSync(`/proc/${pid}/root/run/systemd/private`))
      run('systemctl', 'is-system-running', '--wait')
    } else await until(child, () => readQuietly(`/proc/${pid}/root/run/openrc/softlevel`).startsWith('default'))
    return { pid, root: `/proc/${pid}/root`, enter, run, stop }
  } catch (error) {
    await stop()
    throw new Error(`the machine did not boot: ${said}`, { cause: error })
  }
}

/** The child of unshare, once it has become the init. */
async function findInit(child: ChildProcess, name: string): Promise<number> {
  let pid = Number.NaN
  await until(child, () => {
    pid = Number(readQuietly(`/proc/${child.pid}/task/${child.pid}/children`).trim().split(' ')[0] || Number.NaN)
    return readQuietly(`/proc/${pid}/comm`) === `${name}\n`
  })
  return pid
}

async function until(child: ChildProcess, condition: () => boolean): Promise<void> {
  for (const deadline = Date.now() + 30_000; !condition(); await sleep(10)) {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error('it ended')
    if (Date.now() > deadline) throw new Error('it took more than 30 s')
  }
}

/** Waits until all its processes are gone. The kernel wants the directories removed from the inside out. */
async function removeCgroup(path: string): Promise<void> {
  while (!readQuietly(join(path, 'cgroup.events')).includes('populated 0')) await sleep(10)
  const { stdout } = spawnSync('find', [path, '-depth', '-type', 'd'], { encoding: 'utf8' })
  for (const directory of stdout.split('\n').filter(Boolean)) rmdirSync(directory)
}

function findCgroupMount(): string | undefined {
  for (const line of readQuietly('/proc/self/mounts').split('\n')) {
    const [, path, type] = line.split(' ')
    if (type === 'cgroup2') return path
  }
  return undefined
}

function readQuietly(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
