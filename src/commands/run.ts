import type { ExitCode } from '../cli/command-io.ts'
import { type CommandContext, openCommandSession, openLog } from '../cli/context.ts'
import { createEventLog } from '../cli/event-log.ts'
import { listenForInterruption } from '../cli/interruption.ts'
import { namedDirectory } from '../cli/named-directory.ts'

export interface RunOptions {
  readonly manifests?: string
  readonly allowRemovals?: number
  readonly stopServicesOnExit?: boolean
}

/** Time for abandoned actions before the process exits, in milliseconds. */
const LEFT_BEHIND = 200

/** Only process 1 can reap orphans, and Node can't. */
const firstProcessAdvice =
  'this is process 1, which has to reap the orphaned processes of a container, and does not: put an init before it, by docker run --init, tini, or the entrypoint in docs/container.md'

/** The controller, until SIGINT or SIGTERM. The services go on without it, unless they are to end with it. */
export async function run(
  context: CommandContext,
  directory: string | undefined,
  options: RunOptions,
): Promise<ExitCode> {
  const { io } = context
  const log = openLog(context, { level: 'info', piped: 'json' })
  const { allowRemovals, stopServicesOnExit = false } = options
  let stopServices = stopServicesOnExit
  const rest = (): string =>
    stopServices ? 'and the services with it; once more ends it at once' : 'the services go on'
  // Never disposed: a second signal after the clean end must not turn it into death by a signal.
  const interruption = listenForInterruption(io, signal => log.info({ signal }, `stopping; ${rest()}`))
  if (process.pid === 1) log.warn({}, firstProcessAdvice)
  const session = await openCommandSession(context, namedDirectory(directory, options.manifests), log)
  if (session.configuration.mode === 'report') stopServices = false
  const { runController } = await import('../engine/controller/controller.ts')
  const { openPatientOutput } = await import('../host/patient-output.ts')
  await runController(session, {
    ...(allowRemovals !== undefined && { allowRemovals }),
    stopServices,
    writeOutput: openPatientOutput(1, io.clock),
    signal: interruption.signal,
    onHangup: io.onHangup,
    log,
    listener: createEventLog(log),
  })
  // A hanging supervisor or health check was abandoned and must not keep the process (E16).
  io.clock.after(LEFT_BEHIND, () => io.exit(0), { keepsAlive: false })
  return 0
}
