import { spawn } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { ConformanceHarness } from '../../src/conformance/index.ts'
import type { Provider } from '../../src/core/contracts/provider.ts'
import { createClock } from '../../src/host/clock.ts'
import { createReadHost } from '../../src/host/read-host.ts'
import { createSimulatedSupervisor, type Processes } from '../simulation/simulated-supervisor.ts'
import { killIfThere } from './process-lab.ts'

export interface SimulatedHarnessOptions {
  /** Wraps the provider. Absent: it is used directly. */
  wrap?(provider: Provider): Provider
  /** Processes that a stop ends. Absent: all that the service has started. */
  readonly ends?: 'group' | 'main process'
  readonly patience?: number
}

/** Harness with a simulated supervisor of its own, whose processes are real: the suite looks for them and kills them. */
export function createSimulatedHarness(options: SimulatedHarnessOptions = {}): ConformanceHarness {
  const { wrap = provider => provider, ends = 'group', patience } = options
  const groups = new Set<number>()
  const supervisor = createSimulatedSupervisor(createClock(), createRealProcesses(ends, groups))
  return {
    provider: wrap(supervisor.provider),
    ...(patience !== undefined && { patience }),
    async setUp(root) {
      const directory = join(root, 'simulated')
      mkdirSync(directory)
      return {
        options: { directory },
        watched: [root],
        meddle: definition => definition.replace('1000000', '1000099'),
        boot: () => supervisor.boot(directory, createReadHost()),
        async makeUnavailable() {
          supervisor.isAvailable = false
        },
        async makeAvailable() {
          supervisor.isAvailable = true
        },
        async abandon(service) {
          supervisor.abandon(join(directory, service))
        },
        async tearDown() {
          for (const key of supervisor.services.keys()) {
            if (key.startsWith(`${directory}/`)) await supervisor.stop(key, false)
          }
          if (ends === 'main process') for (const group of groups) killIfThere(-group)
        },
      }
    },
  }
}

/** `groups`: those of all processes that were started. */
function createRealProcesses(ends: 'group' | 'main process', groups: Set<number>): Processes {
  return {
    start([program = '', ...args], ended) {
      const child = spawn(program, args, { detached: true, stdio: 'ignore' })
      let isAsked = false
      const gone = new Promise<void>(resolve => child.once('exit', () => resolve()))
      void gone.then(() => isAsked || ended())
      const pid = child.pid ?? Number.NaN
      groups.add(pid)
      return {
        pid,
        async stop() {
          isAsked = true
          killIfThere(ends === 'group' ? -pid : pid)
          await gone
        },
      }
    },
  }
}
