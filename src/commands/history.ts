import type { ExitCode } from '../cli/command-io.ts'
import { type CommandContext, jsonText, type OutputFormat, openCommandSession } from '../cli/context.ts'
import { historyText } from '../cli/history-table.ts'

export interface HistoryOptions {
  readonly output: OutputFormat
  readonly manifests?: string
  readonly limit?: number
}

/** What was done, when and why: the newest last, as in a log. */
export async function history(
  context: CommandContext,
  name: string | undefined,
  options: HistoryOptions,
): Promise<ExitCode> {
  const session = await openCommandSession(context, options.manifests)
  const { readHistory } = await import('../engine/history.ts')
  const { createReadHost } = await import('../host/read-host.ts')
  const entries = readHistory(session.configuration.stateDirectory, createReadHost(), {
    ...(name !== undefined && { facility: name }),
    ...(options.limit !== undefined && { limit: options.limit }),
  })
  context.out.write(options.output === 'json' ? jsonText({ entries }) : historyText(entries, context.out))
  return 0
}
