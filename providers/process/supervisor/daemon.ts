import type { WriteHost } from '../../../src/core/contracts/host.ts'
import type { Log } from '../../../src/core/contracts/log.ts'
import { ReeveError } from '../../../src/core/reeve-error.ts'
import { createClock } from '../../../src/host/clock.ts'
import { acquireLock } from '../../../src/host/lock.ts'
import { readPackageVersion } from '../../../src/host/package-version.ts'
import { createProcessSign } from '../../../src/host/process-sign.ts'
import { createUnwritablePlaces } from '../../../src/host/unwritable-places.ts'
import { findDirectoryProblem } from '../shared/directory-check.ts'
import { type Layout, layoutOf } from '../shared/layout.ts'
import { formatTelling, tellingName } from '../shared/telling.ts'
import { findTools } from '../shared/tools.ts'
import { attempt } from './maintenance.ts'
import { endPredecessors } from './predecessor.ts'
import { handleAction } from './request-handling.ts'
import { listen, type Server } from './server.ts'
import { createSupervision, type Supervision } from './supervision.ts'
import { serveTelling, type TellingServer } from './telling-server.ts'

/**
 * Time in ms that the supervisor first stays without anything to supervise: the request that it was started for is on its
 * way.
 */
const patience = 2_000

/**
 * Supervises the services of a directory until no definitions are left, or `signal` is aborted. The services outlive it in
 * either case. Throws ReeveError: `locked` if another supervisor works there.
 */
export async function runDaemon(directory: string, host: WriteHost, log: Log, signal: AbortSignal): Promise<void> {
  const layout = layoutOf(directory)
  const clock = createClock()
  makeDirectories(layout, host)
  using _lock = await acquireLock(layout.lock, 'reeve supervisor', host, clock)
  endPredecessors(layout, host, log)
  const ending = new AbortController()
  const end = (): void => ending.abort()
  const startedAt = clock.elapsed()
  let server: Server | undefined

  function endIfIdle(): void {
    if (clock.elapsed() - startedAt < patience || server?.clients() !== 0 || !supervision?.isIdle()) return
    log.info({}, 'ends: there is nothing to supervise')
    end()
  }

  let telling: TellingServer | undefined
  let supervision: Supervision | undefined
  const sign = createProcessSign(tellingName)

  function told(): void {
    const hasToTell = unwritable.list().length > 0 || (supervision?.heldBack().size ?? 0) > 0
    // At once: a client that gets an answer observes next.
    attempt(log, () => sign(hasToTell))
    telling?.changed()
  }

  const unwritable = createUnwritablePlaces(log, host.now, told)
  using made = createSupervision(
    { host, layout, log, clock, tools: findTools(host), node: process.execPath, random: Math.random, unwritable, told },
    endIfIdle,
  )
  supervision = made
  told()
  attempt(log, () => host.writeFile(layout.version, `${readPackageVersion()}\n`, { mode: 0o600 }))
  for (const socket of [layout.socket, layout.telling]) host.removeFile(socket)
  const tell = (): string => formatTelling({ unwritable: unwritable.list(), records: made.heldBack() })
  telling = await serveTelling(layout.telling, tell)
  using _telling = telling
  server = await listen(layout.socket, action => handleAction(action, made), endIfIdle)
  using _server = server
  using _timer = clock.after(patience, endIfIdle)
  log.info({ pid: process.pid }, 'supervises')
  signal.addEventListener('abort', end, { once: true })
  if (signal.aborted) end()
  await aborted(ending.signal)
  for (const socket of [layout.socket, layout.telling]) attempt(log, () => host.removeFile(socket))
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

function makeDirectories(layout: Layout, host: WriteHost): void {
  host.makeDirectory(layout.directory, { mode: 0o700 })
  const problem = findDirectoryProblem(host, layout)
  if (problem !== undefined) throw new ReeveError('insecure', problem)
  for (const path of [layout.definitions, layout.enabled, layout.state, layout.runs, layout.logs]) {
    host.makeDirectory(path, { mode: 0o700 })
  }
}
