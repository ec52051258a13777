import type { Status } from '../../core/contracts/status.ts'
import { ReeveError } from '../../core/reeve-error.ts'
import type { Clock } from '../../host/clock.ts'
import { connectControl } from '../../server/control-client.ts'
import { controlSocketPath, type Session } from '../session/session.ts'

/** Time in ms to wait: a first pass over ten thousand facilities takes some seconds. */
const LIMIT = 60_000
const PAUSE = 100

/**
 * Resolves when the controller of this state directory answers and has made a pass, with its own status. Throws
 * ReeveError: `not-ready` after a minute, `aborted` by the signal.
 */
export async function whenControllerAnswers(
  session: Session,
  signal: AbortSignal,
): Promise<NonNullable<Status['controller']>> {
  const { clock, configuration } = session
  const socket = controlSocketPath(configuration)
  for (const deadline = clock.elapsed() + LIMIT; ; await clock.sleep(PAUSE)) {
    const controller = await askController(socket, clock)
    if (controller?.lastPass) return controller
    if (signal.aborted) throw new ReeveError('aborted', 'interrupted while the controller was starting')
    if (clock.elapsed() < deadline) continue
    throw new ReeveError(
      'not-ready',
      `the controller was started, and doesn't answer at ${socket} after ${LIMIT / 1_000} s`,
    )
  }
}

/** A controller that is starting or ending does not answer. */
async function askController(socket: string, clock: Clock): Promise<Status['controller']> {
  try {
    const control = await connectControl(socket, clock)
    return (await control?.status())?.controller
  } catch (error) {
    if (error instanceof ReeveError) return undefined
    throw error
  }
}
