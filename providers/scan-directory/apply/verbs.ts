import { join } from 'node:path'
import type { ReadHost } from '../../../src/core/contracts/host.ts'
import { ReeveError } from '../../../src/core/reeve-error.ts'
import { sha256 } from '../../../src/host/sha256.ts'
import { removeLog } from '../definition/contents.ts'
import { absence, formatSums, readClaim, readLaunched, readProblem, withoutFailures } from '../definition/records.ts'
import { isStartedThere } from '../observe/evidence.ts'
import { isLogSupervised, readSupervision, type Supervision } from '../observe/supervision.ts'
import { recreateDirectory } from './directory-recreation.ts'
import { createDownCheck, isDown } from './down-check.ts'
import { endSupervisor, ensureSupervised, isSupervised, tellSupervisor } from './pickup.ts'
import type { Task } from './task.ts'
import { waitUntil } from './waiting.ts'

/** Time in ms that a reload command may take. */
const commandTimeout = 60_000

/** Time in ms that a run script may prepare the service, an orphan's stop timeout not included. */
const startLimit = 60_000

/** Time in ms that a listening supervisor may take to check whether its service is disabled. */
const firstLookLimit = 10_000

/** Time in ms that a run script that has reached the service may take to execute it, and the polling interval. */
const executionLimit = 5_000

const executionPause = 10

/** Time in ms that the supervisor of a log may come after that of its service: before the log is handled, and after that. */
const logSettling = 500
const logTime = 10_000

/** Links it disabled, and enables it only once it is supervised: the supervisor would start it at once. */
export async function enableService(task: Task): Promise<void> {
  const { place, host } = task
  await ensureSupervised(task)
  if (!host.facts(place.down)) return
  // s6-supervise 2.11 listens before it checks whether it is disabled, and writes its status after that.
  const hasLooked = (): boolean => host.facts(join(place.supervise, 'status')) !== undefined
  await waitFor(task, firstLookLimit, hasLooked)
  host.removeFile(place.down)
}

export async function disableService({ place, host }: Task): Promise<void> {
  if (!host.facts(place.down)) host.writeFile(place.down, '', { mode: 0o644 })
}

export async function startService(task: Task): Promise<void> {
  const { family, place, host } = task
  await ensureSupervised(task)
  await matchLog(task)
  const before = readLaunched(place, host)?.startTime
  const claim = readClaim(place, host)?.startTime
  forgetFailures(task)
  const endings = host.readText(join(place.records, 'ended'))
  skipDelay(task)
  if (!family.scripts.hasFinish) forgetDelay(task)
  const changed = readChange(task)
  command(task, 'u')
  const hasLaunched = (): boolean => readLaunched(place, host)?.startTime !== before
  const isDone = await waitFor(task, startLimit, () => {
    const found = readSupervision(family, place, host)
    if (found.state !== 'alive' || found.orphan) return false
    if (found.status.state === 'up' && (found.launched !== undefined || !isOurs(task))) return true
    // Somebody else may have taken it down before its run script reached the service.
    if (isDown(found) && changed !== undefined && found.status.since !== changed) return true
    // It may have ended since, or not have reached the service.
    const hasFailed = readProblem(place, host) !== undefined && readClaim(place, host)?.startTime !== claim
    return hasLaunched() || hasFailed || host.readText(join(place.records, 'ended')) !== endings
  })
  await becomeExecuted(task)
  // Also a failure of the service's user after that.
  const problem = readProblem(place, host)
  if (problem !== undefined) throw new ReeveError('failed', problem)
  if (!isDone) {
    const script = join(place.directory, 'run')
    throw new ReeveError(
      'failed',
      `${script} has not come as far as the service within ${startLimit / 1_000} s; run it by hand`,
    )
  }
}

/** Time of its last change of state, in ms since 1970. */
function readChange({ family, place, host }: Task): number | undefined {
  const found = readSupervision(family, place, host)
  return found.state === 'alive' ? found.status.since : undefined
}

/** No event tells that a run script which is about to execute the service has done so. */
async function becomeExecuted(task: Task): Promise<void> {
  const { family, place, host, clock } = task
  const isAboutTo = (): boolean => {
    const found = readSupervision(family, place, host)
    return found.state === 'alive' && found.isPreparing && readLaunched(place, host)?.pid === found.pid
  }
  for (const end = clock.elapsed() + executionLimit; isAboutTo() && clock.elapsed() < end; ) {
    await clock.sleep(executionPause)
  }
}

export async function stopService(task: Task): Promise<void> {
  const { family, place, host } = task
  // A service waiting for the scanner would be started at once.
  if (host.facts(place.link) && !isSupervised(task)) await ensureSupervised(task)
  if (isSupervised(task)) {
    skipDelay(task)
    // If it is gone by now, its leftovers are stopped below.
    tellSupervisor(task, place.supervise, 'd')
  }
  const find = (): Supervision => readSupervision(family, place, host)
  const isOver = createDownCheck(task.clock)
  for (let found = find(); !isOver(found); found = find()) {
    // Otherwise the replaced definition would be started again.
    if (found.orphan?.lostSupervisor !== undefined) host.kill(found.orphan.lostSupervisor, 'TERM')
    if (found.orphan) await host.run([join(place.records, 'stop')], { directory: place.directory })
    // The supervisor may be killed meanwhile, and leave an orphan.
    await waitFor(task, Number.MAX_SAFE_INTEGER, () => {
      const now = find()
      return now.orphan !== undefined || isOver(now)
    })
  }
}

export async function restartService(task: Task): Promise<void> {
  await ensureSupervised(task)
  await stopService(task)
  await startService(task)
}

/** By the same letter that people use; the script of that letter sends what is declared. */
export async function reloadService(task: Task): Promise<void> {
  const { family, place, host } = task
  const found = readSupervision(family, place, host)
  const pid = found.state === 'alive' ? (found.launched?.pid ?? found.pid) : undefined
  if (found.state !== 'alive' || pid === undefined) return
  // Before the process reads: the recorded files must never be newer than the loaded ones.
  const loaded = readSums(task)
  if (host.facts(join(place.records, 'reload'))) {
    const { exitCode, stderr } = await host.run([join(place.records, 'reload'), String(pid)], {
      directory: place.directory,
      timeout: commandTimeout,
      signal: task.signal,
      hasOwnSession: true,
    })
    const said = stderr.trim().split('\n').at(-1)
    if (exitCode !== 0) {
      throw new ReeveError('failed', `its reload command ended with exit code ${exitCode}${said ? `: ${said}` : ''}`)
    }
  } else command(task, 'h')
  host.writeFile(join(place.records, 'loaded'), loaded, { mode: 0o600 })
}

/** Format of the run script. */
export function readSums({ place, host }: Pick<Task, 'place' | 'host'>): string {
  const listed = (host.readText(join(place.records, 'files')) ?? '').split('\n').filter(path => path !== '')
  const parts = /^ {2}sha256sum -- (.*)$/m.exec(host.readText(join(place.directory, 'run')) ?? '')?.[1] ?? ''
  const paths = [...parts.split(' ').map(word => word.replace(/^'(.*)'$/, '$1')), ...listed]
  return formatSums(
    paths.flatMap(path => {
      const isConfiguration = path.startsWith('/')
      const content = host.readFile(isConfiguration ? path : join(place.directory, path))
      if (content) return { path, sum: sha256(content) }
      return isConfiguration ? { path, sum: absence } : []
    }),
  )
}

/** Only a new supervisor notices that a log was added or removed. */
async function matchLog(task: Task): Promise<void> {
  const { family, place, host } = task
  const hasLog = host.facts(join(place.directory, 'log/run')) !== undefined
  const isMatched = (): boolean => hasLog === isLogSupervised(family, place, host)
  const comes = (limit: number): Promise<boolean> => waitUntil(isMatched, [place.logSupervise], { ...task, limit })
  // A scanner starts one supervisor after the other.
  if (await comes(logSettling)) return
  const isEnabled = host.facts(place.down) === undefined
  // Otherwise the scanner could start another supervisor before the log is gone.
  host.removeFile(place.link)
  await endSupervisor(task)
  if (!hasLog) removeLog(place, host)
  if (family.logsComeWith === 'directory') recreateDirectory(place, host)
  await task.announce()
  await ensureSupervised(task)
  if (!(await comes(logTime))) {
    const missing = `${family.supervisor} for the log of ${place.service}`
    throw new ReeveError('failed', hasLog ? `there is no ${missing} yet` : `there still is a ${missing}`)
  }
  if (isEnabled) await enableService(task)
}

/** A requested start is a new beginning: earlier failures no longer count. */
function forgetFailures({ family, place, host }: Task): void {
  const found = readSupervision(family, place, host)
  if (found.state === 'alive' && found.status.state === 'up' && found.launched) return
  const path = join(place.records, 'ended')
  const begun = withoutFailures(host.readText(path))
  if (begun !== undefined) host.writeFile(path, begun, { mode: 0o644 })
}

/** The delay before another start is a process of its own, the finish script at its end. */
function skipDelay({ family, place, host }: Task): void {
  const found = readSupervision(family, place, host)
  if (found.state !== 'alive' || found.status.state !== 'finish' || found.status.pid === undefined) return
  const { pid } = found.status
  if (isSleep(pid, host) && isStartedThere(pid, family, place, host)) host.kill(pid, 'TERM')
}

/** If the run script itself waits, which the last run's record decides, and with a child. */
function forgetDelay({ family, place, host }: Task): void {
  const claim = join(place.records, 'claim')
  if (!host.readText(claim)?.startsWith('- ')) return
  host.writeFile(claim, '', { mode: 0o600 })
  const found = readSupervision(family, place, host)
  if (found.state !== 'alive' || found.status.pid === undefined) return
  const script = found.status.pid
  if (!isStartedThere(script, family, place, host)) return
  const wait = host.processes().find(pid => host.process(pid)?.parent === script)
  if (wait !== undefined && isSleep(wait, host)) host.kill(wait, 'TERM')
}

function isSleep(pid: number, host: ReadHost): boolean {
  return host.readText(`/proc/${pid}/cmdline`)?.startsWith('sleep\0') === true
}

function command(task: Task, letter: string): void {
  const { place, family } = task
  if (tellSupervisor(task, place.supervise, letter)) return
  throw new ReeveError('failed', `the ${family.supervisor} of ${place.service} is gone; it is looked at again`)
}

function isOurs({ place, host }: Task): boolean {
  return host.facts(place.records) !== undefined
}

function waitFor(task: Task, limit: number, condition: () => boolean): Promise<boolean> {
  const { place } = task
  return waitUntil(condition, [place.supervise, place.records], { ...task, limit })
}
