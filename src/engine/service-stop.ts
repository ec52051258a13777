import { count } from '../core/count-text.ts'
import type { Log } from '../core/log.ts'
import { messageOf } from '../core/reeve-error.ts'
import { planStops } from '../core/stop-plan.ts'
import type { OwnedLocation } from '../core/world.ts'
import { openActing } from './acting.ts'
import type { EngineListener } from './engine-event.ts'
import { makeRemovalOutlook, type Outlook } from './outlook.ts'
import type { Session } from './session.ts'

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
  const outlook = await makeRemovalOutlook(session, [])
  const plans = planStops(findOurs(session, outlook), outlook.survey.world, isOrdered)
  let done = 0
  using acting = openActing(session, {
    instances: () => outlook.instances,
    claims: () => outlook.claims,
    trigger: 'reeve run --stop-services-on-exit',
    bounded: true,
    listener(event) {
      if (event.type === 'step-finished' && event.result === 'done') done += 1
      listener(event)
    },
  })
  acting.executor.submit(plans.map(plan => ({ plan })))
  await acting.executor.idle()
  return done
}

function findOurs({ configuration }: Session, { survey, instances }: Outlook): OwnedLocation[] {
  return survey.world.owned.filter(({ ownership, supervisor }) => {
    return ownership.owner === configuration.owner && instances.get(supervisor)?.provider.startedBy === 'controller'
  })
}
