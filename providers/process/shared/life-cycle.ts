import type { Process } from '../../../src/core/model/facility.ts'
import { GOOD_RUN } from '../../../src/core/state/readiness.ts'
import { findSignalName } from '../../../src/host/signals.ts'
import type { Exit, ServiceRecord } from './service-record.ts'

/**
 * Life cycle of a service. The next phase follows from the record, the facts of its newest run and the clock, never from the
 * kind of event (advance.ts); so events may be lost, and the supervisor after a killed one resumes in the same phase.
 *
 *   phase     state                                           next phase
 *   --------  ----------------------------------------------  -------------------------------------------------------
 *   down      nothing runs                                    starting: wanted up
 *   starting  run N is recorded, its shim is being started    up: the program is executed · stopping: a stop is
 *                                                             requested · [ended]
 *   up        the program of run N is alive                   stopping: a stop is requested · [ended]
 *   stopping  it has the stop signal, KILL after the timeout; [ended], once its process group is empty
 *             or it ended by itself and left members of its
 *             group behind, which get KILL
 *   backoff   it ended too soon, or failed to start           starting: at `nextStart` · down: no longer wanted up
 *   finished  it ended by itself successfully, for good       starting: on request · down: no longer wanted up
 *   failed    it ended by itself with a failure, for good     the same
 *
 *   [ended]   a stop was requested, or it isn't wanted up     down (and from there starting, if wanted up)
 *             exit code 0, policy on-failure or never         finished
 *               (except a program that daemonized, which counts as a failure)
 *             policy never                                    failed
 *             otherwise                                       backoff
 */

/** Time in ms after which a run counts as good: earlier failures no longer count. */
export const goodRun: number = GOOD_RUN

/** Longest delay in ms between two starts, unless the declared delay is longer. */
export const longestDelay = 60_000

/** Delay in ms of the second consecutive quick failure if the declared delay is shorter. */
const leastDelay = 100

/** Largest random addition to a delay, as a fraction, so that services that fail together don't start together. */
const jitter = 0.1

/** Record after a run has ended and nothing of it is left. */
export function settle(record: ServiceRecord, policy: Process['restart'], now: number, random: number): ServiceRecord {
  const { pid: _pid, startTime: _startTime, asked, nextStart: _nextStart, message: _message, ...rest } = record
  if (asked || record.want === 'down') return { ...rest, phase: 'down', since: now, restarts: 0, total: 0 }
  const wasGood = record.exit?.run === record.run && record.exit.code === 0 && record.background?.run !== record.run
  if (wasGood && policy.policy !== 'always') return { ...rest, phase: 'finished', since: now, restarts: 0, total: 0 }
  const message = describeEnd(record)
  if (policy.policy === 'never') return { ...rest, phase: 'failed', since: now, message }
  const startedAt = record.startedAt ?? now
  const ended = record.exit?.run === record.run ? record.exit.at : now
  const restarts = ended - startedAt >= goodRun ? 1 : record.restarts + 1
  const nextStart = startedAt + delayOf(restarts, policy.delay, random)
  const total = (record.total ?? 0) + 1
  return { ...rest, phase: 'backoff', since: now, restarts, total, nextStart, message }
}

/** Record after a start that failed before there was a process; `problem` says why. */
export function settleFailedStart(
  record: ServiceRecord,
  policy: Process['restart'],
  problem: string,
  now: number,
  random: number,
): ServiceRecord {
  const { exit: _exit, ...rest } = record
  const settled = settle(rest, policy, now, random)
  return settled.phase === 'down' ? settled : { ...settled, message: problem }
}

/** Least time between the last start and the next, after so many consecutive quick failures (from 1). */
export function delayOf(failures: number, delay: number, random: number): number {
  if (failures <= 1) return delay
  const doubled = Math.max(delay, leastDelay) * 2 ** Math.min(failures - 1, 30)
  return Math.round(Math.min(doubled, Math.max(longestDelay, delay)) * (1 + jitter * random))
}

/** Exit status as the shell reports it, which can't tell a signal from a code over 128. */
export function exitOf(run: number, status: number | undefined, at: number): Exit {
  if (status === undefined) return { run, at }
  const signal = status > 128 ? findSignalName(status - 128) : undefined
  return signal === undefined ? { run, code: status, at } : { run, signal, at }
}

/** Completes "ended with …". No times and no counts: the same failure has the same message. */
export function describeExit(exit: Exit | undefined): string {
  if (exit?.signal !== undefined) return `signal ${exit.signal}`
  return exit?.code === undefined ? 'an unknown exit code' : `exit code ${exit.code}`
}

function describeEnd(record: ServiceRecord): string {
  if (record.background?.run === record.run) return record.background.message
  const exit = record.exit?.run === record.run ? record.exit : undefined
  return `it ended by itself with ${describeExit(exit)}`
}
