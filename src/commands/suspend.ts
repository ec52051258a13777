import type { ExitCode } from '../cli/command-io.ts'
import { type AnswerOptions, type CommandContext, openCommandSession } from '../cli/context.ts'
import { namedDirectory } from '../cli/named-directory.ts'
import { forEachName } from '../cli/several-names.ts'
import type { Control } from '../core/contracts/control.ts'

export async function suspend(
  context: CommandContext,
  names: readonly string[],
  options: AnswerOptions,
): Promise<ExitCode> {
  return tell(context, names, options, (control, name) => control.suspend(name))
}

export async function resume(
  context: CommandContext,
  names: readonly string[],
  options: AnswerOptions,
): Promise<ExitCode> {
  return tell(context, names, options, (control, name) => control.resume(name))
}

async function tell(
  context: CommandContext,
  names: readonly string[],
  options: AnswerOptions,
  ask: (control: Control, name: string) => ReturnType<Control['suspend']>,
): Promise<ExitCode> {
  const session = await openCommandSession(context, namedDirectory(undefined, options.manifests))
  const { openControl } = await import('../engine/control/control-access.ts')
  const control = await openControl(session)
  return forEachName(context, names, options.output, name => ask(control, name))
}
