import type { ExitCode } from '../cli/command-io.ts'
import { type CommandContext, jsonText, type OutputFormat, openCommandSession } from '../cli/context.ts'
import type { Control } from '../core/contracts/control.ts'

export interface SuspendOptions {
  readonly output: OutputFormat
  readonly manifests?: string
}

export async function suspend(context: CommandContext, name: string, options: SuspendOptions): Promise<ExitCode> {
  return tell(context, options, control => control.suspend(name))
}

export async function resume(context: CommandContext, name: string, options: SuspendOptions): Promise<ExitCode> {
  return tell(context, options, control => control.resume(name))
}

async function tell(
  context: CommandContext,
  options: SuspendOptions,
  ask: (control: Control) => ReturnType<Control['suspend']>,
): Promise<ExitCode> {
  const session = await openCommandSession(context, options.manifests)
  const { openControl } = await import('../engine/control/control-access.ts')
  const outcome = await ask(await openControl(session))
  if (options.output === 'json') context.out.writeExact(jsonText(outcome))
  else context.out.write(`${outcome.message}\n`)
  return 0
}
