import type { Facility } from './facility.ts'
import type { Observed } from './observed.ts'

/** How long a service without a health check may take to become ready, besides `readyAfter`; in milliseconds. */
export const STARTUP_TIMEOUT = 10_000

/** A run of this length (ms) counts as a success: restarts before it are forgotten. */
export const GOOD_RUN = 10_000

/** So many restarts in a row are a crash loop. A single one may be an accident. */
const LOOPING_RESTARTS = 2

/** `none`: no health check is declared. `unknown`: nobody has looked. */
export type HealthState = 'healthy' | 'unhealthy' | 'starting' | 'none' | 'unknown'

export interface Readiness {
  readonly ready: boolean
  /** CamelCase, as in a condition. */
  readonly reason: string
  readonly message: string
}

/** Is the facility as declared, and able to serve those who depend on it? `now` in milliseconds since 1970. */
export function readinessOf(
  facility: Facility,
  observed: Observed | undefined,
  health: HealthState,
  now: number,
): Readiness {
  if (!observed || observed.state === 'unknown') {
    return no('Unknown', observed?.message ?? 'the supervisor has not been asked yet')
  }
  if (facility.state === 'stopped' && observed.state !== 'absent') {
    const down = observed.state === 'stopped' || observed.state === 'failed'
    return down ? yes('Stopped', 'stopped, as declared') : no('NotStopped', `${observed.state}, declared stopped`)
  }
  if (facility.state === 'unmanaged' && observed.state !== 'absent') {
    return yes('Unmanaged', `${observed.state}; its state is not managed`)
  }
  if (observed.completed) return yes('Completed', 'it has done its work and ended, as its restart policy allows')
  if (isCrashLooping(observed, now)) return no('CrashLooping', describeCrashLoop(observed))
  if (observed.state !== 'running') return no(stateReasons[observed.state], describe(observed))
  if (health === 'unhealthy') return no('Unhealthy', 'running, but its health check fails')
  if (health === 'starting' || health === 'unknown') {
    return no('HealthPending', 'running, and its health check has not passed yet')
  }
  if (!hasRunFor(facility.readyAfter, observed, now)) {
    return no('Starting', `started less than ${facility.readyAfter / 1_000} s ago`)
  }
  return health === 'none' ? yes('Running', 'running') : yes('Healthy', 'running, and its health check passes')
}

/** The service ends again and again, and its supervisor starts it again and again. */
export function isCrashLooping(observed: Observed, now: number): boolean {
  if ((observed.restarts ?? 0) < LOOPING_RESTARTS) return false
  // It runs for a moment between two crashes.
  return observed.state === 'starting' || (observed.state === 'running' && !hasRunFor(GOOD_RUN, observed, now))
}

function hasRunFor(duration: number, { since }: Observed, now: number): boolean {
  // Far ahead of now: the clock was set back meanwhile.
  return since === undefined || Math.abs(now - since) >= duration
}

function describeCrashLoop(observed: Observed): string {
  const { exit, message } = observed
  const how =
    exit?.signal !== undefined
      ? `killed by SIG${exit.signal}`
      : exit?.code !== undefined
        ? `exited with code ${exit.code}`
        : undefined
  const said = observed.state === 'running' ? undefined : message
  return `crash loop: ${[how, said].filter(part => part !== undefined).join('; ') || 'it ends soon after each start'}`
}

const stateReasons = {
  running: 'Running',
  starting: 'Starting',
  stopping: 'Stopping',
  stopped: 'Stopped',
  failed: 'Failed',
  absent: 'Absent',
  unknown: 'Unknown',
} as const

function describe(observed: Observed): string {
  return observed.message ? `${observed.state}: ${observed.message}` : observed.state
}

function yes(reason: string, message: string): Readiness {
  return { ready: true, reason, message }
}

function no(reason: string, message: string): Readiness {
  return { ready: false, reason, message }
}
