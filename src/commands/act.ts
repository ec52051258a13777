import type { ExitCode } from '../cli/command-io.ts'
import { type CommandContext, jsonText, type OutputFormat, openCommandSession } from '../cli/context.ts'
import type { ControlVerb } from '../engine/control.ts'

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
  const session = await openCommandSession(context, options.manifests)
  const { openControl } = await import('../engine/control-access.ts')
  const control = await openControl(session)
  const outcome = await control.act(verb, name, {
    ...(options.ifStopped !== undefined && { ifStopped: options.ifStopped }),
    ...(options.ifChanged !== undefined && { ifChanged: options.ifChanged }),
    ...(options.suspend !== undefined && { suspend: options.suspend }),
  })
  context.out.write(options.output === 'json' ? jsonText(outcome) : `${outcome.message}\n`)
  return 0
}
