import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { systemdProvider } from '../../providers/systemd/index.ts'
import { readMarker } from '../../providers/systemd/units/marker.ts'
import { eventually } from '../../src/conformance/eventually.ts'
import type { ConformanceHarness, ConformanceSupervisor } from '../../src/conformance/index.ts'
import { isAlive } from '../../src/conformance/lab.ts'
import { killIfThere } from '../labs/process-lab.ts'

/** The machine's system manager. There is one: further requests meanwhile get a user manager. */
export const systemHarness: ConformanceHarness = {
  provider: systemdProvider,
  async setUp(directory) {
    if (isTaken()) return setUpUser(directory)
    mkdirSync(claim)
    const before = new Set(readdirSync(systemUnits))
    return {
      options: {},
      watched: [systemUnits],
      meddle,
      boot: bootSystem,
      async makeUnavailable() {
        const { stdout } = spawnSync('systemctl', ['show', '--property=MainPID', '--value', 'dbus'], {
          encoding: 'utf8',
        })
        for (const socket of systemSockets) renameSync(socket, `${socket}.away`)
        // Connections that are open don't need the sockets.
        killIfThere(Number(stdout))
      },
      async makeAvailable() {
        for (const socket of systemSockets) renameSync(`${socket}.away`, socket)
        systemctl('restart', 'dbus')
      },
      async tearDown() {
        const names = readdirSync(systemUnits).filter(name => !before.has(name))
        // As patterns, which match only units that exist.
        const units = names.map(name => name.replace('@.', '@*.').replace(/^./, '[$&]'))
        if (units.length > 0) {
          systemctl('stop', '--no-block', '--', ...units)
          // Units that ignore their stop signal aren't waited for. An ended unit may be unloaded by now, which is reported
          // as a failure.
          spawnSync('systemctl', ['kill', '--signal=KILL', '--', ...units])
          systemctl('stop', '--', ...units)
        }
        for (const name of names) rmSync(join(systemUnits, name), { recursive: true })
        removeLinks(systemUnits)
        systemctl('daemon-reload')
        systemctl('reset-failed')
        rmSync(claim, { recursive: true })
      },
    }
  },
}

/** User manager for each request: it is reached by its private socket, without a bus. */
export const userHarness: ConformanceHarness = { provider: systemdProvider, setUp: setUpUser }

const claim = '/run/reeve-test-system'
const systemUnits = '/etc/systemd/system'
const systemSockets = ['/run/dbus/system_bus_socket', '/run/systemd/private']

function isTaken(): boolean {
  return existsSync(claim)
}

/** Edited to a person's taste: still a unit, with the marker. */
function meddle(definition: string): string {
  return definition.replace('Restart=always', 'Restart=on-failure')
}

/** As after a boot: only enabled units run, and everything is loaded again. */
async function bootSystem(): Promise<void> {
  const owned = ownedUnits(systemUnits)
  if (owned.length > 0) systemctl('stop', ...owned)
  systemctl('daemon-reload')
  systemctl('start', 'multi-user.target')
}

async function setUpUser(directory: string): Promise<ConformanceSupervisor> {
  const runtimeDirectory = join(directory, 'run')
  const unitDirectory = join(directory, 'config/systemd/user')
  mkdirSync(unitDirectory, { recursive: true })
  let manager = await startUserManager(directory)

  async function stop(): Promise<void> {
    manager.kill('SIGKILL')
    const scope = cgroupOf(directory)
    await eventually('the manager to be gone', () => manager.exitCode !== null || manager.signalCode !== null)
    for (const pid of membersOf(scope)) killIfThere(pid)
    await eventually('its services to be gone', () => !membersOf(scope).some(isAlive))
    unmountBelow(runtimeDirectory)
  }

  return {
    options: { scope: 'user', unitDirectory, runtimeDirectory },
    watched: [unitDirectory],
    meddle,
    async boot() {
      await stop()
      rmSync(runtimeDirectory, { recursive: true })
      manager = await startUserManager(directory)
    },
    async makeUnavailable() {
      manager.kill('SIGSTOP')
    },
    async makeAvailable() {
      manager.kill('SIGCONT')
    },
    tearDown: stop,
  }
}

async function startUserManager(directory: string): Promise<ChildProcess> {
  const runtime = join(directory, 'run')
  mkdirSync(runtime, { mode: 0o700 })
  const cgroup = cgroupOf(directory)
  if (!existsSync(cgroup)) mkdirSync(cgroup)
  const env = {
    XDG_RUNTIME_DIR: runtime,
    XDG_CONFIG_HOME: join(directory, 'config'),
    HOME: directory,
    PATH: '/usr/bin:/bin',
  }
  const child = spawn('/bin/sh', ['-c', 'echo $$ > "$0/cgroup.procs" && exec /lib/systemd/systemd --user', cgroup], {
    env,
    stdio: 'ignore',
  })
  // It listens before it answers, which takes long while many others start.
  await eventually('the user manager to answer', async () => {
    return existsSync(join(runtime, 'systemd/private')) && (await answers(env))
  })
  return child
}

async function answers(env: NodeJS.ProcessEnv): Promise<boolean> {
  const asked = spawn('systemctl', ['--user', 'show', '--property=Version'], { env, stdio: 'ignore' })
  const [status] = await once(asked, 'exit')
  return status === 0
}

/** Credentials of services are file systems of their own, and remain when the manager is killed. */
function unmountBelow(directory: string): void {
  for (const line of readFileSync('/proc/self/mounts', 'utf8').split('\n')) {
    const [, path = ''] = line.split(' ')
    if (path.startsWith(`${directory}/`)) spawnSync('umount', [path])
  }
}

function cgroupOf(directory: string): string {
  return join('/sys/fs/cgroup', directory.replaceAll('/', '-').slice(1))
}

function membersOf(cgroup: string): number[] {
  const pids = readFileSync(join(cgroup, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean).map(Number)
  for (const entry of readdirSync(cgroup, { withFileTypes: true })) {
    if (entry.isDirectory()) pids.push(...membersOf(join(cgroup, entry.name)))
  }
  return pids
}

/** Links of targets to units that no longer exist. */
function removeLinks(directory: string): void {
  for (const folder of readdirSync(directory, { withFileTypes: true }).filter(entry => entry.isDirectory())) {
    for (const name of readdirSync(join(directory, folder.name))) {
      const link = join(directory, folder.name, name)
      if (!existsSync(link)) rmSync(link)
    }
  }
}

function ownedUnits(directory: string): string[] {
  return readdirSync(directory, { withFileTypes: true })
    .filter(entry => entry.isFile() && readMarker(readFileSync(join(directory, entry.name), 'utf8')) !== undefined)
    .map(({ name }) => name)
}

function systemctl(...args: string[]): void {
  const { status, stderr } = spawnSync('systemctl', args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`systemctl ${args.join(' ')}: ${stderr}`)
}
