import type { EngineListener } from '../../core/contracts/engine-event.ts'
import type { Log } from '../../core/contracts/log.ts'
import { planStops } from '../../core/plan/stop-plan.ts'
import { messageOf } from '../../core/reeve-error.ts'
import type { OwnedLocation } from '../../core/state/snapshot.ts'
import { count } from '../../core/text/count-text.ts'
import { makePlanRun, type PlanRun } from '../refresh/plan-run.ts'
import type { Session } from '../session/session.ts'
import { executeWork } from './plan-execution.ts'
import { countSteps } from './step-count.ts'

export interface ServiceStopOptions {
  readonly log: Log
  readonly listener: EngineListener
}

/**
 * Stops services under supervisors that only the controller starts, as it ends for good: in a container they would be killed
 * with it. Dependents stop first; each service by its stop signal, within its stop timeout. Definitions and enablement stay, so
 * that the next controller starts them again. The caller holds the lock. Never fails.
 */
export async function stopServices(session: Session, { log, listener }: ServiceStopOptions): Promise<void> {
  try {
    const stopped = await stopAll(session, listener, true)
    // Services whose dependents failed to stop are still running.
    const more = await stopAll(session, listener, false)
    log.info({}, `${count(stopped + more, 'service is', 'services are')} stopped`)
  } catch (error) {
    log.error({ error: messageOf(error) }, `the services could not be stopped: ${messageOf(error)}`)
  }
}

async function stopAll(session: Session, listener: EngineListener, isOrdered: boolean): Promise<number> {
  const planRun = await makePlanRun(session, { removal: [] })
  const plans = planStops(findOurs(session, planRun), planRun.refresh.snapshot, isOrdered)
  const work = plans.map(plan => ({ plan }))
  const counted = countSteps(listener)
  const trigger = 'reeve run --stop-services-on-exit'
  await executeWork(session, planRun, work, { trigger, listener: counted.listener })
  return counted.done()
}

function findOurs({ configuration }: Session, { refresh, instances }: PlanRun): OwnedLocation[] {
  return refresh.snapshot.owned.filter(({ ownership, supervisor }) => {
    return ownership.owner === configuration.owner && instances.get(supervisor)?.provider.startedBy === 'controller'
  })
}
