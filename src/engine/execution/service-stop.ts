import type { EngineListener } from '../../core/contracts/engine-event.ts'
import type { Log } from '../../core/contracts/log.ts'
import { planStops } from '../../core/plan/stop-plan.ts'
import { messageOf } from '../../core/reeve-error.ts'
import type { OwnedLocation } from '../../core/state/snapshot.ts'
import { count } from '../../core/text/count-text.ts'
import { makeRemovalPlanRun, type PlanRun } from '../refresh/plan-run.ts'
import type { Session } from '../session/session.ts'
import { executeWork } from './plan-execution.ts'
import { countSteps } from './step-count.ts'

export interface ServiceStopOptions {
  readonly log: Log
  readonly listener: EngineListener
}

/**
 * Stops what runs under supervisors that only the controller starts, as it ends for good: in a container, all else would be
 * killed with it. First what depends on others; each by its own stop signal, within its own timeout. Definitions and enablement
 * stay, so that the next controller starts it all again. For who holds the lock; never fails.
 */
export async function stopServices(session: Session, { log, listener }: ServiceStopOptions): Promise<void> {
  try {
    const stopped = await stopAll(session, listener, true)
    // What needed a stop that failed has been left out.
    const more = await stopAll(session, listener, false)
    log.info({}, `${count(stopped + more, 'service is', 'services are')} stopped`)
  } catch (error) {
    log.error({ error: messageOf(error) }, `the services could not be stopped: ${messageOf(error)}`)
  }
}

async function stopAll(session: Session, listener: EngineListener, isOrdered: boolean): Promise<number> {
  const planRun = await makeRemovalPlanRun(session, [])
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
