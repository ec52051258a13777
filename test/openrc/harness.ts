import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { openrcProvider } from '../../providers/openrc/index.ts'
import { eventually } from '../../src/conformance/eventually.ts'
import type { ConformanceHarness } from '../../src/conformance/index.ts'
import { isAlive } from '../../src/conformance/lab.ts'
import { killIfThere } from '../labs/process-lab.ts'

const scripts = '/etc/init.d'
const definitions = '/etc/reeve-openrc'
const runlevel = '/etc/runlevels/default'
const state = '/run/openrc'

/** The OpenRC of the machine, of which there is one: cases run one after the other. */
export const openrcHarness: ConformanceHarness = {
  provider: openrcProvider,
  many: 100,
  async setUp() {
    mkdirSync(definitions, { recursive: true })
    const before = new Set(listServices())
    return {
      options: {},
      watched: [scripts, definitions, runlevel],
      meddle: text => text.replace('sha256sum', 'true sha256sum'),
      async boot() {
        await powerOff(listServices())
        const { status, stderr } = spawnSync('openrc', ['default'], { encoding: 'utf8' })
        if (status !== 0) throw new Error(`openrc default: ${stderr}`)
      },
      makeUnavailable: async () => renameSync(state, `${state}.away`),
      makeAvailable: async () => renameSync(`${state}.away`, state),
      async abandon(service) {
        const pid = readNumber(`/run/supervise-${service}.pid`)
        if (pid === 0) throw new Error(`no supervise-daemon of ${service} is recorded`)
        killIfThere(pid)
        await eventually('it to be gone', () => !isAlive(pid))
      },
      async tearDown() {
        const services = listServices().filter(service => !before.has(service))
        await powerOff(services)
        for (const service of services) {
          for (const path of [scripts, runlevel, definitions]) {
            rmSync(join(path, service), { recursive: true, force: true })
          }
        }
      },
    }
  },
}

/** Kills all that runs of these services, and has OpenRC forget them, as the end of the machine does. */
async function powerOff(services: readonly string[]): Promise<void> {
  const roots = services.flatMap(service => [readNumber(`/run/supervise-${service}.pid`), readNumber(claimOf(service))])
  const pids = findTrees(new Set(roots.filter(pid => pid > 0)))
  for (const pid of pids) killIfThere(pid)
  await eventually('its services to be gone', () => !pids.some(isAlive))
  for (const service of services) {
    for (const { name: directory } of readdirSync(state, { withFileTypes: true }).filter(entry =>
      entry.isDirectory(),
    )) {
      rmSync(join(state, directory, service), { recursive: true, force: true })
    }
  }
}

/** These processes with all of their children; parents come first, which would start killed children again. */
function findTrees(roots: ReadonlySet<number>): number[] {
  const found = new Set(roots)
  const pids = readdirSync('/proc').map(Number).filter(Boolean)
  for (let size = 0; size !== found.size; ) {
    size = found.size
    for (const pid of pids) {
      const parent = Number(
        readQuietly(`/proc/${pid}/stat`)
          .replace(/^.*\) /s, '')
          .split(' ')[1],
      )
      if (found.has(parent)) found.add(pid)
    }
  }
  return [...found]
}

function claimOf(service: string): string {
  return join(definitions, service, 'reeve/claim')
}

function listServices(): string[] {
  return readdirSync(definitions).filter(name => !name.startsWith('.'))
}

function readNumber(path: string): number {
  return Number.parseInt(readQuietly(path), 10) || 0
}

function readQuietly(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
