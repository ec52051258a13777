import type { Control } from '../../core/contracts/control.ts'
import { connectControl } from '../../server/control-client.ts'
import { controlSocketPath, type Session } from '../session/session.ts'

/** The controller of this state directory, if one runs; else what it would do is done here. */
export function openControl(session: Session): Promise<Control> {
  return createControlFinder(session)()
}

/** The same for those who ask again and again, while controllers come and go; what is done here then is of one piece. */
export function createControlFinder(session: Session): () => Promise<Control> {
  let direct: Control | undefined
  return async () => {
    const controller = await connectControl(controlSocketPath(session.configuration), session.clock)
    if (controller) return controller
    const { createDirectControl } = await import('./direct-control.ts')
    direct ??= createDirectControl(session)
    return direct
  }
}
