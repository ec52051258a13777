import type { ApplyOutcome } from '../../core/contracts/apply-outcome.ts'
import type { EngineListener } from '../../core/contracts/engine-event.ts'
import { type FacilityStatus, isLeftAlone, type Status } from '../../core/contracts/status.ts'
import { findCondition } from '../../core/reconcile/conditions.ts'
import { ReeveError } from '../../core/reeve-error.ts'
import { openControl } from '../control/control-access.ts'
import type { Session } from '../session/session.ts'
import { settingsOf } from '../session/settings.ts'
import { keepTrying, type PatienceOptions } from './patience.ts'
import { findHindrance, sourceOf } from './repository.ts'

export interface FirstRevision {
  readonly isHealthy: boolean
  /** Absent: the time was over before. */
  readonly outcome?: ApplyOutcome
  readonly status: Status
}

/**
 * Has the controller fetch the wanted revision, as the access of this command isn't that of a service, and apply it, and waits until it
 * is known what becomes of it. Throws ReeveError: `unavailable` if the controller has ended, `aborted` by the signal, and what keeps the
 * controller from applying it.
 */
export async function awaitFirstRevision(
  session: Session,
  listener: EngineListener,
  patience: PatienceOptions,
): Promise<FirstRevision> {
  const control = await openControl(session)
  if (control.pid === undefined) throw new ReeveError('unavailable', 'the controller has ended; see its log')
  const settings = settingsOf(session, true)
  const outcome = await keepTrying(async signal => {
    try {
      return { value: await control.apply({}, { listener, signal, settings }) }
    } catch (error) {
      if (signal.aborted) throw error
      const { source } = await control.status()
      const hindrance = source && findHindrance(source, sourceOf(session))
      if (!hindrance) throw error
      return { hindrance }
    }
  }, patience).catch((error: unknown) => {
    if (error instanceof ReeveError && error.code === 'not-ready') return undefined
    throw error
  })
  const status = await control.status()
  return { status, isHealthy: outcome !== undefined && isHealthy(outcome, status), ...(outcome && { outcome }) }
}

/** The revision was judged healthy, and all that it declares is ready now. */
function isHealthy({ revision }: ApplyOutcome, { facilities }: Status): boolean {
  const isReady = (facility: FacilityStatus): boolean =>
    isLeftAlone(facility) || findCondition(facility.conditions, 'Ready')?.status === 'True'
  return revision?.outcome === 'Healthy' && facilities.every(isReady)
}
