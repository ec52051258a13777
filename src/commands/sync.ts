import type { ExitCode } from '../cli/command-io.ts'
import { type CommandContext, jsonText, type OutputFormat, openCommandSession } from '../cli/context.ts'
import { sourceText } from '../cli/source-text.ts'
import type { Control } from '../core/contracts/control.ts'
import type { SourceStatus } from '../core/contracts/source-status.ts'

export interface SyncOptions {
  readonly output: OutputFormat
  readonly wait?: boolean
  readonly retry?: boolean
}

/** Fails if the wanted revision isn't in force at the end; where it waits, also if that isn't healthy. */
export function sync(context: CommandContext, options: SyncOptions): Promise<ExitCode> {
  const { retry = false, wait = false } = options
  return tell(context, options, control => control.sync({ retries: retry, waits: wait }))
}

/** The same, for a commit whose history was rewritten. */
export function accept(context: CommandContext, commit: string, options: SyncOptions): Promise<ExitCode> {
  return tell(context, options, control => control.accept(commit))
}

async function tell(
  context: CommandContext,
  options: SyncOptions,
  ask: (control: Control) => Promise<SourceStatus>,
): Promise<ExitCode> {
  const { out, err, io } = context
  const session = await openCommandSession(context, undefined)
  const { openControl } = await import('../engine/control/control-access.ts')
  const control = await openControl(session)
  const status = await ask(control)
  if (options.output === 'json') out.writeExact(jsonText(status))
  else out.write(sourceText(status, out, io.clock.now()))
  const { condition, rollout, waiting } = status
  if (condition.reason !== 'UpToDate' || waiting) return 1
  if (session.configuration.mode === 'report') return 0
  if (control.pid === undefined) err.write('No controller runs: run reeve apply to apply it.\n')
  else if (options.wait) return rollout?.outcome === 'Healthy' ? 0 : 1
  return 0
}
