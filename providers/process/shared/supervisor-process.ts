import type { ProcessFacts, ReadHost, WriteHost } from '../../../src/core/contracts/host.ts'
import { ReeveError } from '../../../src/core/reeve-error.ts'
import type { Clock } from '../../../src/host/clock.ts'
import { findHolder } from '../../../src/host/lock.ts'
import { findDirectoryProblem } from './directory-check.ts'
import type { Layout } from './layout.ts'

/** Time in ms that a supervisor may take to answer after its start. */
const startTimeout = 15_000

/** Interval in ms at which a starting supervisor is tried. */
const startInterval = 10

/** A supervisor that can't work here exits at once: it isn't tried for longer than this (ms). */
const mostStarts = 5

/**
 * State of the supervisor of a directory. `frozen`: its process is suspended (SIGSTOP, a debugger) and does nothing, though
 * it holds the lock.
 */
export type SupervisorState =
  | { readonly state: 'alive'; readonly pid: number }
  | { readonly state: 'frozen'; readonly pid: number }
  | { readonly state: 'dead' }

export function findSupervisor(host: ReadHost, layout: Layout): SupervisorState {
  const holder = findHolder(layout.lock, host)
  if (!holder) return { state: 'dead' }
  return { state: isFrozen(host.process(holder.pid)) ? 'frozen' : 'alive', pid: holder.pid }
}

export function isFrozen(facts: ProcessFacts | undefined): boolean {
  return facts?.state === 'T' || facts?.state === 't'
}

/** Reason why the services of an instance can't be observed; undefined if they can. */
export function findProblem(host: ReadHost, layout: Layout): string | undefined {
  const problem = findDirectoryProblem(host, layout)
  if (problem !== undefined) return problem
  const supervisor = findSupervisor(host, layout)
  if (supervisor.state !== 'frozen') return undefined
  return `its supervisor (process ${supervisor.pid}) is stopped; let it go on (kill -CONT ${supervisor.pid})`
}

/** Ensures that a supervisor works on the directory and answers. Throws ReeveError `unavailable`. */
export async function ensureSupervisor(
  command: readonly string[],
  layout: Layout,
  host: WriteHost,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  const problem = findProblem(host, layout)
  if (problem !== undefined) throw new ReeveError('unavailable', problem)
  host.makeDirectory(layout.directory, { mode: 0o700 })
  const deadline = clock.elapsed() + startTimeout
  let isStarting = false
  let starts = 0
  for (let pause = 10; ; pause = Math.min(pause * 1.5, 200)) {
    if (await answers(layout, host, signal)) return
    if (clock.elapsed() > deadline || (starts >= mostStarts && !isStarting)) {
      throw new ReeveError('unavailable', `the supervisor of ${layout.directory} doesn't answer; see ${layout.log}`)
    }
    if (!isStarting && findSupervisor(host, layout).state === 'dead') {
      isStarting = true
      starts += 1
      // It may yield to another, or be killed: then it is tried once more.
      void startSupervisor(command, layout, host).then(() => {
        isStarting = false
      })
    }
    // All callers wait for one that is starting, and until its socket exists, a try is one stat(2).
    await clock.sleep(isStarting ? startInterval : pause, signal)
  }
}

function startSupervisor(command: readonly string[], layout: Layout, host: WriteHost): Promise<void> {
  const environment = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' }
  const options = { environment, directory: '/', output: layout.log, outputMode: 0o600 }
  return host.spawn([...command, layout.directory], options).exited.then(() => {})
}

async function answers(layout: Layout, host: WriteHost, signal: AbortSignal): Promise<boolean> {
  // Nothing ever listened here: that is known without a try.
  if (host.facts(layout.socket) === undefined) return false
  try {
    for await (const _line of host.request(layout.socket, '{"actions":[]}', signal));
    return true
  } catch (error) {
    if (signal.aborted) throw error
    return false // nothing listens, or the supervisor ended during the request
  }
}
