import { join } from 'node:path'
import type { ReadHost } from '../../src/core/contracts/host.ts'
import { messageOf, ReeveError } from '../../src/core/reeve-error.ts'
import { type Observed, unknownService } from '../../src/core/state/observed.ts'
import { GOOD_RUN } from '../../src/core/state/readiness.ts'
import { isAlive, isLiving, type ProcessIdentity } from '../../src/host/process-identity.ts'
import { findSignalName } from '../../src/host/signals.ts'
import { readMarker } from '../scan-directory/definition/marker.ts'
import {
  type Ending,
  readClaim,
  readEnding,
  readLaunched,
  readLoaded,
  readProblem,
} from '../scan-directory/definition/records.ts'
import { type Place, placeOf } from '../scan-directory/layout.ts'
import { isExecuted } from '../scan-directory/observe/supervision.ts'
import { launchers, layout } from './definition.ts'
import { readStatus, type Status } from './status.ts'

/** Runlevels whose services OpenRC starts on the way to its normal operation. */
export const bootRunlevels: readonly string[] = ['sysinit', 'boot', 'default'].map(name => join('/etc/runlevels', name))

type Judged = Pick<Observed, 'state' | 'supervised'> & Partial<Observed>

/** What runs of a service that Reeve has defined. */
export interface Run {
  readonly status: Status
  /** Process of the service, or the script that prepares it. */
  readonly process: ProcessIdentity | undefined
  /** The service itself is executed, not only prepared. */
  readonly isLaunched: boolean
}

export function readRun(place: Place, host: ReadHost): Run {
  const status = readStatus(place.service, host)
  const claim = readClaim(place, host)
  const process = claim && isAlive(claim, host) ? claim : undefined
  const launched = readLaunched(place, host)
  const isReached = process?.pid === launched?.pid && process?.startTime === launched?.startTime
  return {
    status,
    process,
    isLaunched: process !== undefined && isReached && isExecuted({ launchers }, process.pid, host),
  }
}

/** Reads only files and /proc: nothing is queried. */
export function observeService(service: string, host: ReadHost): Observed {
  try {
    const place = placeOf(layout, service)
    const ownership = readMarker(place, host)
    const run = readRun(place, host)
    const enabled = bootRunlevels.some(runlevel => host.facts(join(runlevel, service)) !== undefined)
    const exists = ownership !== undefined || host.facts(place.link) !== undefined
    if (!exists && !run.process && !run.status.daemon) return { service, state: 'absent', enabled, supervised: false }
    const judged = host.facts(place.records) ? judge(run, place, host) : judgeOther(run.status, host)
    return { service, enabled, ...(ownership && { ownership }), ...judged }
  } catch (error) {
    if (error instanceof ReeveError && error.code === 'unavailable') throw error
    return unknownService(service, messageOf(error))
  }
}

function judge({ status, process, isLaunched }: Run, place: Place, host: ReadHost): Judged {
  const ending = readEnding(place, host)
  const problem = readProblem(place, host)
  const loaded = process && readLoaded(place, host)
  const known = { ...(ending && { exit: exitOf(ending) }), ...(loaded && { loaded }) }
  const base = { ...known, supervised: status.daemon !== undefined }
  if (process && status.daemon === undefined && !status.marks.has('stopping')) {
    const message = `its supervise-daemon was killed, and left process ${process.pid} behind; it is stopped before another copy is started`
    return { ...base, state: 'running', pid: process.pid, message }
  }
  if (status.marks.has('stopping') && (process || status.daemon !== undefined)) {
    return { ...base, state: 'stopping', ...(process && { pid: process.pid }) }
  }
  if (process && isLaunched) {
    const since = host.facts(join(place.records, 'launched'))?.modified ?? host.now()
    const isGood = Math.abs(host.now() - since) >= GOOD_RUN
    return { ...base, ...countRestarts(ending, isGood), state: 'running', pid: process.pid, since, startedAt: since }
  }
  if (status.daemon !== undefined || status.marks.has('starting')) {
    const counted = countRestarts(ending, false)
    const why = problem ?? (counted.restarts && ending ? describeEnding(ending) : undefined)
    return { ...base, ...counted, state: 'starting', ...(why !== undefined && { message: why }) }
  }
  if (status.marks.has('started')) {
    const message = 'OpenRC has it as started, but its supervise-daemon was killed, and nothing of it runs'
    return { ...base, state: 'failed', message }
  }
  if (!ending || ending.wasAsked) return { ...base, state: 'stopped' }
  const read = readLoaded(place, host)
  const ended = { ...base, ...(read && { loaded: read }) }
  if (ending.code === 0 && problem === undefined) return { ...ended, state: 'stopped', completed: true }
  return { ...ended, state: 'failed', message: problem ?? describeEnding(ending) }
}

/** The process that OpenRC has recorded is gone. */
export function isCrashed({ recorded }: Status, host: ReadHost): boolean {
  return recorded !== undefined && !isLiving(host.process(recorded))
}

/** A service with a script of others, which may run no process at all. */
function judgeOther({ marks, daemon, recorded }: Status, host: ReadHost): Judged {
  const isRunning = recorded !== undefined && isLiving(host.process(recorded))
  const pid = isRunning ? { pid: recorded } : {}
  const base = { supervised: daemon !== undefined || !isRunning, ...pid }
  if (marks.has('stopping')) return { ...base, state: 'stopping' }
  if (marks.has('starting')) return { ...base, state: 'starting' }
  if (marks.has('inactive'))
    return { ...base, state: 'starting', message: 'OpenRC has it as inactive: it waits for something else' }
  if (marks.has('started')) {
    if (recorded === undefined || isRunning) return { ...base, supervised: true, state: 'running' }
    return { ...base, state: 'failed', message: 'it has crashed: OpenRC has it as started, and its process is gone' }
  }
  if (marks.has('failed')) return { ...base, state: 'failed', message: 'OpenRC has it as failed' }
  return { ...base, state: 'stopped' }
}

function countRestarts(ending: Ending | undefined, isGood: boolean): Pick<Observed, 'restarts' | 'totalRestarts'> {
  if (!ending || ending.wasAsked) return { restarts: 0, totalRestarts: 0 }
  const { failures, total } = ending
  return { restarts: isGood ? 0 : failures, ...(total !== undefined && { totalRestarts: total }) }
}

function exitOf({ code, signal }: Ending): NonNullable<Observed['exit']> {
  if (code !== undefined) return { code }
  return { signal: findSignalName(signal ?? 0) ?? String(signal) }
}

function describeEnding(ending: Ending): string {
  const { code, signal } = exitOf(ending)
  return `it ended by itself with ${signal === undefined ? `exit code ${code}` : `signal ${signal}`}`
}
