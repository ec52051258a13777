import { type FacilityStatus, isSuspended, isUndeclared } from '../../core/contracts/status.ts'
import { findCondition } from '../../core/reconcile/conditions.ts'
import { LASTING_TROUBLE, RUN_FAILED } from '../../core/state/readiness.ts'

/** How a facility that a revision changes stands. */
export interface Standing {
  /**
   * waiting: nothing has been done about it yet. stalled: a cause outside of the revision keeps it from going on. The others as their names
   * say.
   */
  readonly kind: 'waiting' | 'progressing' | 'ready' | 'stalled' | 'failed'
  readonly message: string
  /** Of one that is ready: another one after a restart. */
  readonly run?: string
}

export interface StandingInput {
  /** Absent: nothing is known of it. */
  readonly status: FacilityStatus | undefined
  readonly isDeclared: boolean
  /** There are steps for it that haven't begun, or its removal has not ended. */
  readonly hasWork: boolean
  /** The host lacks what its start needs, or that of a facility that it depends on. */
  readonly isHindered: boolean
  /** Why its supervisor doesn't answer, so that it may still be there. Absent: it does. */
  readonly silence?: string | undefined
  /** Why it failed in the pass before. Absent: it didn't, as far as is known. */
  readonly failure?: string | undefined
  /** Why what is to be removed isn't. */
  readonly removalProblem?: string | undefined
}

const failing: ReadonlySet<string> = new Set([...LASTING_TROUBLE, RUN_FAILED, 'Unhealthy'])

const outside = /\b(?:ENOSPC|EDQUOT|EROFS|EIO)\b|no space left|is full|read-only file system/i

/** True for an error of the host, which no revision mends. */
export function isOutside(message: string): boolean {
  return outside.test(message)
}

export function standingOf(input: StandingInput): Standing {
  const { status, isDeclared, hasWork, isHindered, silence, failure, removalProblem } = input
  if (failure !== undefined) return failed(failure)
  if (!isDeclared && silence !== undefined) return { kind: 'stalled', message: silence }
  if (!isDeclared && (status === undefined || (isUndeclared(status) && !hasWork))) return ready('removed', undefined)
  if (status === undefined) return { kind: 'progressing', message: 'it has not been observed yet' }
  if (isSuspended(status)) return ready('suspended', undefined)
  const { reason, message } = findCondition(status.conditions, 'Reconciling') ?? { reason: '', message: '' }
  if (reason === 'UnderWay') return { kind: 'progressing', message }
  if (reason === 'Retrying') return failed(message)
  if (!isDeclared && removalProblem !== undefined) return { kind: 'stalled', message: removalProblem }
  if (!isDeclared) return { kind: 'progressing', message: 'it is to be removed' }
  return standingByReadiness(status, hasWork, isHindered)
}

function standingByReadiness(status: FacilityStatus, hasWork: boolean, isHindered: boolean): Standing {
  const found = findCondition(status.conditions, 'Ready')
  if (!found || found.status === 'Unknown') return { kind: 'stalled', message: found?.message ?? 'it is unknown' }
  const { message, reason } = found
  if (reason === 'Blocked') return { kind: isHindered ? 'stalled' : 'failed', message }
  if (hasWork) return { kind: 'waiting', message: 'its steps have not begun' }
  if (found.status === 'True') return ready(message, status)
  return { kind: failing.has(reason) ? 'failed' : 'progressing', message }
}

function failed(message: string): Standing {
  return { kind: isOutside(message) ? 'stalled' : 'failed', message }
}

function ready(message: string, status: FacilityStatus | undefined): Standing {
  return { kind: 'ready', message, run: status ? `${status.pid} ${status.restarts ?? 0}` : '' }
}
