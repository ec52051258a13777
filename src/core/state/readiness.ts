import { type Facility, hasDefinition } from '../model/facility.ts'
import type { Exit, Observed } from './observed.ts'

/** How long a service without a health check may take to become ready, in milliseconds. */
export const STARTUP_TIMEOUT = 10_000

/** A run of this length (ms) counts as a success: failures before it are forgotten. */
export const GOOD_RUN = 10_000

/** Failures in a row that make a crash loop. A single one may be an accident. */
export const LOOPING_RESTARTS = 2

/** `none`: no health check is declared. `unknown`: not checked yet. */
export type HealthState = 'healthy' | 'unhealthy' | 'starting' | 'none' | 'unknown'

export interface Readiness {
  readonly ready: boolean
  /** CamelCase, as in a condition. */
  readonly reason: string
  readonly message: string
}

/** Reasons for which waiting is pointless: the service should run, doesn't, and won't by itself. */
export const LASTING_TROUBLE: ReadonlySet<string> = new Set(['CrashLooping', 'FailedForGood'])

/** The last run that a timer, socket or path started failed; the next may succeed. */
export const RUN_FAILED = 'RunFailed'

/** The service isn't up yet, or not for long enough. */
export const STARTING = 'Starting'

/**
 * Readiness: whether the facility is as declared and can serve its dependents. `now` in milliseconds since 1970. `probeError`: why the
 * last health probe failed, if it did.
 */
export function readinessOf(
  facility: Facility,
  observed: Observed | undefined,
  health: HealthState,
  now: number,
  probeError?: string,
): Readiness {
  if (!observed || observed.state === 'unknown') {
    return no('Unknown', observed?.message ?? 'the supervisor has not been asked yet')
  }
  if (observed.state === 'absent' && isWantedAbsent(facility))
    return yes('Absent', 'not installed, and declared neither to run nor to start at boot')
  if (facility.state === 'stopped' && observed.state !== 'absent') {
    const down = observed.state === 'stopped' || observed.state === 'failed'
    return down ? yes('Stopped', 'stopped, as declared') : no('NotStopped', `${observed.state}, declared stopped`)
  }
  if (facility.state === 'unmanaged' && observed.state !== 'absent') {
    return yes('Unmanaged', `${observed.state}; its state is not managed`)
  }
  if (isCompleted(facility, observed))
    return yes('Completed', 'it has done its work and ended, as its restart policy allows')
  if (isCrashLooping(observed, now)) return no('CrashLooping', describeCrashLoop(observed))
  if (hasFailedForGood(facility, observed)) return no('FailedForGood', describeFailure(observed))
  if (observed.state !== 'running') return no(stateReasons[observed.state], describe(observed))
  const failure = observed.activation?.failure
  if (failure) return no(RUN_FAILED, `its last run failed: ${failure.message}`)
  const cause = probeError === undefined ? '' : `: ${probeError}`
  if (health === 'unhealthy') return no('Unhealthy', `running, but its health check fails${cause}`)
  if (health === 'starting' || health === 'unknown') {
    return no('HealthPending', `running, and its health check has not passed yet${cause}`)
  }
  // A service that waits for its trigger doesn't crash.
  if (!observed.activation && !hasRunFor(facility.readyAfter, observed, now)) {
    return no(STARTING, `started less than ${facility.readyAfter / 1_000} s ago`)
  }
  return health === 'none' ? yes('Running', 'running') : yes('Healthy', 'running, and its health check passes')
}

/** The service completed, as its restart policy allows. One with policy `always` never completes. */
export function isCompleted({ process, config }: Facility, { completed }: Observed): boolean {
  const runsAlways = process?.restart.policy === 'always' && config === undefined
  return completed === true && !runsAlways
}

/** A service that exists already, or doesn't, and is neither to run nor to start at boot. */
export function isWantedAbsent(facility: Facility): boolean {
  return !hasDefinition(facility) && facility.state === 'stopped' && facility.enabled === false
}

/** Crash loop: the service keeps ending and its supervisor keeps restarting it. It runs for moments in between. */
export function isCrashLooping(observed: Observed, now: number): boolean {
  if ((observed.restarts ?? 0) < LOOPING_RESTARTS) return false
  return observed.state === 'starting' || (observed.state === 'running' && !hasRunFor(GOOD_RUN, observed, now))
}

/** The restart policy makes this failure final: only a person or a change starts it again. */
function hasFailedForGood(facility: Facility, observed: Observed): boolean {
  return observed.state === 'failed' && facility.process?.restart.policy === 'never'
}

function hasRunFor(duration: number, { since }: Observed, now: number): boolean {
  // Far ahead of now: the clock was set back meanwhile.
  return since === undefined || Math.abs(now - since) >= duration
}

/** `exited with code 3`, `was killed by signal KILL`. No times and no counts: the same failure has the same words. */
export function describeExit({ code, meaning, signal }: Exit): string {
  if (signal !== undefined) return `was killed by signal ${signal}`
  if (code === undefined) return 'ended, nobody saw how'
  return `exited with code ${code}${meaning === undefined ? '' : `/${meaning}`}`
}

/** The same words while it waits and while it runs, so that a crash loop isn't reported anew each time. */
function describeCrashLoop(observed: Observed): string {
  const { cause, exit, message } = observed
  const why = cause ?? (exit === undefined ? message : `it ${describeExit(exit)}`)
  return withHindrance(`crash loop: ${why ?? 'it ends soon after each start'}`, observed)
}

function describeFailure(observed: Observed): string {
  const { exit, message } = observed
  const why = message ?? (exit && `it ${describeExit(exit)}`)
  return withHindrance(
    `failed for good, as its restart policy is never${why === undefined ? '' : `: ${why}`}`,
    observed,
  )
}

/** Its supervisor may have said the same. */
function withHindrance(text: string, { hindrance }: Observed): string {
  return hindrance === undefined || text.includes(hindrance) ? text : `${text}; ${hindrance}`
}

const stateReasons = {
  running: 'Running',
  starting: STARTING,
  stopping: 'Stopping',
  stopped: 'Stopped',
  failed: 'Failed',
  absent: 'Absent',
  unknown: 'Unknown',
} as const

function describe(observed: Observed): string {
  const { state, message } = observed
  return withHindrance(message ? `${state}: ${message}` : state, observed)
}

function yes(reason: string, message: string): Readiness {
  return { ready: true, reason, message }
}

function no(reason: string, message: string): Readiness {
  return { ready: false, reason, message }
}
