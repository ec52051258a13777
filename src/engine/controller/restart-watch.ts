import type { Log } from '../../core/contracts/log.ts'
import type { Facility } from '../../core/model/facility.ts'
import { messageOf } from '../../core/reeve-error.ts'
import type { Observed } from '../../core/state/observed.ts'
import { describeExit } from '../../core/state/readiness.ts'
import type { Clock } from '../../host/clock.ts'
import type { History } from '../session/history.ts'

/**
 * Detects restarts that no step of Reeve's made: by the supervisor, or by somebody else. Each is reported once; of a row of failures
 * only the first, as the rest is a crash loop, which has its own condition.
 */
export interface RestartWatch {
  /** Reeve acted on the facility: observations that began before `at` (ms since 1970) are ignored. */
  acted(facility: string, at: number): void
  /** Takes an observation that began at `lookedAt` (ms since 1970). Gives the restart to report. */
  seen(facility: string, observed: Observed, lookedAt: number): Restart | undefined
  /** Forgets all other facilities. */
  keep(facilities: ReadonlySet<string>): void
}

export interface Restart {
  readonly by: 'supervisor' | 'others'
  /** How the process ended, if its supervisor restarted it. */
  readonly cause?: string
  /** Description for people. */
  readonly message: string
}

interface Seen {
  readonly pid: number | undefined
  readonly total: number | undefined
}

export function createRestartWatch(): RestartWatch {
  const last = new Map<string, Seen>()
  const touched = new Map<string, number>()

  return {
    acted(facility, at) {
      touched.set(facility, at)
    },
    seen(facility, observed, lookedAt) {
      const actedAt = touched.get(facility)
      if (actedAt !== undefined && lookedAt < actedAt) return undefined
      const { state, pid, restarts = 0, activation } = observed
      // Its activation unit starts it on occasion.
      if (activation) return undefined
      const isWaiting = state === 'starting' && pid === undefined && restarts > 0
      // Nothing is known of a run to come, or of an unobservable one.
      if (!isWaiting && (state !== 'running' || pid === undefined)) return undefined
      const before = last.get(facility)
      const isOurs = touched.delete(facility)
      const isSameRun = !isWaiting && pid === before?.pid
      // Some supervisors forget the count once a run has lasted.
      const total = observed.totalRestarts ?? (isSameRun ? before?.total : undefined)
      last.set(facility, { pid: pid ?? before?.pid, total })
      if (isSameRun || (!before && !isOurs)) return undefined
      if (total === undefined || total === 0) return isOurs || isWaiting ? undefined : startedByOthers
      // The count starts at the last requested start, so the supervisor made this run of its own accord.
      const isTold = total === before?.total || restarts > 1
      return isTold ? undefined : describeRestart(observed)
    },
    keep(facilities) {
      for (const name of last.keys()) if (!facilities.has(name)) last.delete(name)
      for (const name of touched.keys()) if (!facilities.has(name)) touched.delete(name)
    },
  }
}

const startedByOthers: Restart = { by: 'others', message: 'another process of it runs, which Reeve has not started' }

function describeRestart({ state, exit }: Observed): Restart {
  const cause = exit === undefined ? 'its process ended' : `its process ${describeExit(exit)}`
  const what = state === 'running' ? ', and its supervisor has started it again' : '; its supervisor starts it again'
  return { by: 'supervisor', cause, message: `${cause}${what}` }
}

/** Logs the restart, and one by the supervisor is added to the history too. */
export function tellRestart(
  { name: facility, supervisor, service }: Pick<Facility, 'name' | 'supervisor' | 'service'>,
  { by, cause, message }: Restart,
  { clock, history, log }: { readonly clock: Clock; readonly history: History; readonly log: Log },
): void {
  log.warn({ facility, supervisor, service }, `${facility}: ${message}`)
  if (by === 'others') return
  const time = new Date(clock.now()).toISOString()
  const what = { verb: 'restart', reason: 'ended', result: 'done', duration: 0, trigger: 'supervisor' } as const
  const error = cause === undefined ? {} : { error: cause }
  try {
    history.append({ time, facility, supervisor, service, ...what, step: `${facility}/restart`, ...error })
  } catch (problem) {
    log.warn({ facility, error: messageOf(problem) }, 'the history could not be written')
  }
}
