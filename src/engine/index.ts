import { connectControl } from '../server/control-client.ts'
import type { Control } from './control.ts'
import { createDirectControl } from './direct-control.ts'
import { controlSocketPath, type Session } from './session.ts'

export {
  type ApplyOptions,
  type ApplyOutcome,
  applyOnce,
  makeCurrentPlan as makePlan,
  makeDownPlan as planDown,
  takeDown,
} from './apply.ts'
export type { Control, ControlOptions, ControlOutcome, ControlVerb } from './control.ts'
export { type ControllerOptions, runController } from './controller.ts'
export type { EngineEvent, EngineListener } from './engine-event.ts'
export { openSession, type Session, type SessionOptions } from './session.ts'
export type { FacilityStatus, Status } from './status.ts'
export { listSupervisors, type SupervisorReport } from './supervisor-list.ts'
export { validate } from './validation.ts'

/** The controller of this state directory, if one runs; else what it would do is done here. */
export async function openControl(session: Session): Promise<Control> {
  return (await connectControl(controlSocketPath(session.configuration))) ?? createDirectControl(session)
}
