import { spawn } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'vitest'
import { type ConformanceHarness, conformanceCases } from '../../src/conformance/index.ts'
import { createClock } from '../../src/host/clock.ts'
import { createReadHost } from '../../src/host/read-host.ts'
import { createSimulatedSupervisor, type Processes } from '../simulation/simulated-supervisor.ts'
import { createMeddledProvider } from '../tools/meddled-provider.ts'

/** So that the processes that the suite looks for and kills are there. */
const realProcesses: Processes = {
  start([program = '', ...args], ended) {
    const child = spawn(program, args, { detached: true, stdio: 'ignore' })
    let isAsked = false
    const gone = new Promise<void>(resolve => child.once('exit', () => resolve()))
    void gone.then(() => isAsked || ended())
    return {
      pid: child.pid ?? Number.NaN,
      async stop() {
        isAsked = true
        child.kill('SIGKILL')
        await gone
      },
    }
  },
}

// The fake of the engine's properties has to keep the contract as long as nobody misleads it.
function createHarness(): ConformanceHarness {
  const supervisor = createSimulatedSupervisor(createClock(), realProcesses)
  return {
    provider: createMeddledProvider(supervisor.provider).provider,
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
        async tearDown() {
          for (const key of supervisor.services.keys()) {
            if (key.startsWith(`${directory}/`)) await supervisor.stop(key, false)
          }
        },
      }
    },
  }
}

describe('conformance: the simulated supervisor', () => {
  for (const [index, { name, timeout }] of conformanceCases(createHarness()).entries()) {
    // Each has a supervisor of its own, to be misled by itself.
    test.concurrent(name, { timeout }, async () => conformanceCases(createHarness())[index]?.run())
  }
})
