import type { ApplyOutcome } from '../../core/contracts/apply-outcome.ts'
import type { EngineListener } from '../../core/contracts/engine-event.ts'
import { type FacilityStatus, isLeftAlone, type Status } from '../../core/contracts/status.ts'
import { findCondition } from '../../core/reconcile/conditions.ts'
import { ReeveError } from '../../core/reeve-error.ts'
import { abortable } from '../../host/abortable.ts'
import { openDeadline } from '../../host/deadline.ts'
import { openControl } from '../control/control-access.ts'
import type { Session } from '../session/session.ts'
import { settingsOf } from '../session/settings.ts'
import type { PatienceOptions } from './patience.ts'
import { awaitRevision, sourceOf } from './repository.ts'

export interface FirstRevision {
  readonly isHealthy: boolean
  /** Absent: the time was over before. */
  readonly outcome?: ApplyOutcome
  readonly status: Status
}

/**
 * Has the controller fetch the wanted revision, as the access of this command isn't that of a service, and apply it, and waits until all of
 * its facilities are ready. Throws ReeveError: `unavailable` if the controller has ended, what `awaitRevision` throws, and what keeps the
 * controller from applying it.
 */
export async function awaitFirstRevision(
  session: Session,
  listener: EngineListener,
  patience: PatienceOptions,
): Promise<FirstRevision> {
  const control = await openControl(session)
  if (control.pid === undefined) throw new ReeveError('unavailable', 'the controller has ended; see its log')
  await awaitRevision({ sync: signal => abortable(control.sync(), signal) }, sourceOf(session), patience)
  using limit = openDeadline(patience.clock, patience.timeout, [patience.signal])
  const ways = { listener, signal: limit.signal, settings: settingsOf(session, true) }
  const outcome = await control.apply({ fetch: false }, ways).catch((error: unknown) => {
    if (limit.isOver()) return undefined
    throw error
  })
  const status = await control.status()
  return { status, isHealthy: outcome !== undefined && isHealthy(status), ...(outcome && { outcome }) }
}

/** A revision is in force, and all that it declares is ready. */
function isHealthy({ source, facilities }: Status): boolean {
  const isReady = (facility: FacilityStatus): boolean =>
    isLeftAlone(facility) || findCondition(facility.conditions, 'Ready')?.status === 'True'
  return source?.revision !== undefined && facilities.every(isReady)
}
