import { type ChildProcess, fork } from 'node:child_process'
import { join } from 'node:path'
import type { PoolRunnerInitializer } from 'vitest/node'
import { ForksPoolWorker, type PoolOptions, type PoolWorker } from 'vitest/node'
import type { MachineKind } from './image.ts'
import { findBootProblem, type Machine, startMachine } from './machine.ts'

const project = join(import.meta.dirname, '../..')

/**
 * Runs each test file inside a machine of its own, with a real init as pid 1: the tests and the provider see the
 * processes, paths and sockets that a user of that machine would, and tests are written like all others. Where no machine
 * can be booted they run outside, without REEVE_MACHINE, and skip themselves.
 */
export function createMachinePool(kind: MachineKind): PoolRunnerInitializer {
  return {
    name: kind,
    createPoolWorker: options =>
      findBootProblem() === undefined ? createWorker(kind, options) : new ForksPoolWorker(options),
  }
}

function createWorker(kind: MachineKind, { distPath, env, execArgv, project: { vitest } }: PoolOptions): PoolWorker {
  let machine: Machine | undefined
  let worker: ChildProcess | undefined
  return {
    name: kind,
    // The outer temporary directory isn't that of the machine.
    cacheFs: false,
    async start() {
      machine = await startMachine(kind)
      const inProject = ['/bin/sh', '-c', 'cd "$0" && exec "$@"', project]
      const [execPath, ...args] = machine.enter([...inProject, process.execPath, ...execArgv])
      worker = fork(join(distPath, 'workers/forks.js'), [], {
        execPath,
        execArgv: args,
        // An outer file of certificates doesn't exist inside.
        env: { ...env, NODE_EXTRA_CA_CERTS: '', REEVE_MACHINE: kind },
        stdio: 'pipe',
        serialization: 'advanced',
      })
      worker.stdout?.pipe(vitest.logger.outputStream, { end: false })
      worker.stderr?.pipe(vitest.logger.errorStream, { end: false })
    },
    async stop() {
      await machine?.stop()
    },
    on: (event, callback) => worker?.on(event, callback),
    off: (event, callback) => worker?.off(event, callback),
    send: message => worker?.send(message),
    deserialize: data => data,
  }
}
