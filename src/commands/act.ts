import type { ExitCode } from '../cli/command-io.ts'
import { type AnswerOptions, type CommandContext, openCommandSession, openLog } from '../cli/context.ts'
import { namedDirectory } from '../cli/named-directory.ts'
import { startProgress } from '../cli/progress.ts'
import { stepUnderWayText } from '../cli/reason-text.ts'
import { forEachName } from '../cli/several-names.ts'
import type { ControlOptions, ControlVerb } from '../core/contracts/control.ts'

export interface ActOptions extends ControlOptions, AnswerOptions {}

/** `reeve start|stop|restart|reload|enable|disable NAME...`: one action on each now, one after the other. */
export async function act(
  context: CommandContext,
  verb: ControlVerb,
  names: readonly string[],
  options: ActOptions,
): Promise<ExitCode> {
  const { io, err } = context
  const progress = startProgress(err, io.clock)
  const session = await openCommandSession(
    context,
    namedDirectory(undefined, options.manifests),
    openLog(context, { level: 'warn', screen: progress.screen }),
  )
  const { openControl } = await import('../engine/control/control-access.ts')
  const control = await openControl(session)
  const wish = {
    ...(options.ifStopped !== undefined && { ifStopped: options.ifStopped }),
    ...(options.ifChanged !== undefined && { ifChanged: options.ifChanged }),
    ...(options.suspend !== undefined && { suspend: options.suspend }),
  }
  return forEachName(context, names, options.output, name => {
    // Only the end is reported, and a stop may take as long as its timeout.
    progress.show(name, stepUnderWayText({ verb }))
    return control.act(verb, name, wish).finally(progress.end)
  })
}
