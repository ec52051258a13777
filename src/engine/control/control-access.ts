import type { Control } from '../../core/contracts/control.ts'
import { connectControl } from '../../server/control-client.ts'
import { controlSocketPath, type Session } from '../session/session.ts'
import { withMode } from './report-mode.ts'

/** Control by the running controller of this state directory; without one, by this process. */
export function openControl(session: Session): Promise<Control> {
  return createControlFinder(session)()
}

/** The same for callers that ask repeatedly while controllers come and go; they share one direct control. */
export function createControlFinder(session: Session): () => Promise<Control> {
  let direct: Control | undefined
  return async () => {
    const controller = await connectControl(controlSocketPath(session.configuration), session.clock)
    if (controller) return withMode(controller, session)
    const { createDirectControl } = await import('./direct-control.ts')
    direct ??= withMode(createDirectControl(session), session)
    return direct
  }
}
