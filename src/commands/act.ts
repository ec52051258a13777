import type { ExitCode } from '../cli/command-io.ts'
import { type CommandContext, jsonText, type OutputFormat, openCommandSession, openLog } from '../cli/context.ts'
import { startProgress } from '../cli/progress.ts'
import { stepUnderWayText } from '../cli/reason-text.ts'
import type { ControlVerb } from '../core/contracts/control.ts'

export interface ActOptions {
  readonly output: OutputFormat
  readonly manifests?: string
  readonly ifStopped?: boolean
  readonly ifChanged?: boolean
  readonly suspend?: boolean
}

/** `reeve start|stop|restart|reload|enable|disable NAME`: one action now. */
export async function act(
  context: CommandContext,
  verb: ControlVerb,
  name: string,
  options: ActOptions,
): Promise<ExitCode> {
  const { io, out, err } = context
  const progress = startProgress(err, io.clock)
  const session = await openCommandSession(context, options.manifests, openLog(context, 'warn', progress.screen))
  const { openControl } = await import('../engine/control/control-access.ts')
  const control = await openControl(session)
  // Whoever does it tells of its end only, and a stop may take as long as its timeout.
  progress.show(name, stepUnderWayText({ verb }))
  const wish = {
    ...(options.ifStopped !== undefined && { ifStopped: options.ifStopped }),
    ...(options.ifChanged !== undefined && { ifChanged: options.ifChanged }),
    ...(options.suspend !== undefined && { suspend: options.suspend }),
  }
  const outcome = await control.act(verb, name, wish).finally(progress.end)
  if (options.output === 'json') out.writeExact(jsonText(outcome))
  else out.write(`${outcome.message}\n`)
  return 0
}
