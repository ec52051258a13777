import { connectControl } from '../server/control-client.ts'
import type { Control } from './control.ts'
import { controlSocketPath, type Session } from './session.ts'

/** The controller of this state directory, if one runs; else what it would do is done here. */
export async function openControl(session: Session): Promise<Control> {
  const controller = await connectControl(controlSocketPath(session.configuration))
  if (controller) return controller
  const { createDirectControl } = await import('./direct-control.ts')
  return createDirectControl(session)
}
