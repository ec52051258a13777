import type { ExitCode } from '../cli/command-io.ts'
import { type CommandContext, openCommandSession, openLog } from '../cli/context.ts'
import { createEventLog } from '../cli/event-log.ts'
import { listenForInterruption } from '../cli/interruption.ts'

export interface RunOptions {
  readonly allowRemovals?: number
}

/** How long what was left behind may go on, in milliseconds. */
const LEFT_BEHIND = 200

/** The controller, until SIGINT or SIGTERM. The services go on without it. */
export async function run(
  context: CommandContext,
  directory: string | undefined,
  options: RunOptions,
): Promise<ExitCode> {
  const { io } = context
  const log = openLog(context, 'info')
  using interruption = listenForInterruption(io, signal => log.info({ signal }, 'stopping; the services go on'))
  const session = await openCommandSession(context, directory, log)
  const { runController } = await import('../engine/controller.ts')
  await runController(session, {
    ...(options.allowRemovals !== undefined && { allowRemovals: options.allowRemovals }),
    signal: interruption.signal,
    log,
    listener: createEventLog(log),
  })
  // A supervisor or a health check that hangs has been left behind: it must not hold the process any longer (E16).
  io.clock.after(LEFT_BEHIND, () => io.exit(0), { keepsAlive: false })
  return 0
}
