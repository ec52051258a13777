import { type Facility, hasDefinition } from './facility.ts'
import type { Observed } from './observed.ts'

/** How long a service without a health check has to have been up before it counts as ready, in milliseconds. */
export const SETTLING_TIME = 500

/** How long a service without a health check may take to get there. */
export const STARTUP_TIMEOUT = 10_000

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
  if (observed.state === 'absent' && isWantedAbsent(facility))
    return yes('Absent', 'not installed, and declared neither to run nor to start at boot')
  if (facility.state === 'stopped' && observed.state !== 'absent') {
    const down = observed.state === 'stopped' || observed.state === 'failed'
    return down ? yes('Stopped', 'stopped, as declared') : no('NotStopped', `${observed.state}, declared stopped`)
  }
  if (facility.state === 'unmanaged' && observed.state !== 'absent') {
    return yes('Unmanaged', `${observed.state}; its state is not managed`)
  }
  if (observed.completed) return yes('Completed', 'it has done its work and ended, as its restart policy allows')
  if (observed.state !== 'running') return no(stateReason(observed), describe(observed))
  if (health === 'none') {
    // Far ahead of now: the clock was set back meanwhile.
    const settled = observed.since === undefined || Math.abs(now - observed.since) >= SETTLING_TIME
    return settled ? yes('Running', 'running') : no('Starting', 'started just now')
  }
  if (health === 'healthy') return yes('Healthy', 'running, and its health check passes')
  if (health === 'unhealthy') return no('Unhealthy', 'running, but its health check fails')
  return no('HealthPending', 'running, and its health check has not passed yet')
}

/** A service that exists already, or doesn't, and is neither to run nor to start at boot. */
function isWantedAbsent(facility: Facility): boolean {
  return !hasDefinition(facility) && facility.state === 'stopped' && facility.enabled === false
}

function stateReason(observed: Observed): string {
  if (observed.state === 'starting' && observed.restarts) return 'CrashLoop'
  return {
    running: 'Running',
    starting: 'Starting',
    stopping: 'Stopping',
    stopped: 'Stopped',
    failed: 'Failed',
    absent: 'Absent',
    unknown: 'Unknown',
  }[observed.state]
}

function describe(observed: Observed): string {
  return observed.message ? `${observed.state}: ${observed.message}` : observed.state
}

function yes(reason: string, message: string): Readiness {
  return { ready: true, reason, message }
}

function no(reason: string, message: string): Readiness {
  return { ready: false, reason, message }
}
