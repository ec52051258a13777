import type { ExitCode } from '../cli/command-io.ts'
import { type AnswerOptions, type CommandContext, jsonText, openCommandSession } from '../cli/context.ts'
import { historyText } from '../cli/history-table.ts'
import { namedDirectory } from '../cli/named-directory.ts'
import { ReeveError } from '../core/reeve-error.ts'
import type { Session } from '../engine/session/session.ts'

export interface HistoryOptions extends AnswerOptions {
  readonly limit?: number
}

/** Shows actions with time and reason, the newest last. */
export async function history(
  context: CommandContext,
  name: string | undefined,
  options: HistoryOptions,
): Promise<ExitCode> {
  const session = await openCommandSession(context, namedDirectory(undefined, options.manifests))
  const { readHistory } = await import('../engine/session/history.ts')
  const { createReadHost } = await import('../host/read-host.ts')
  const entries = readHistory(session.configuration.stateDirectory, createReadHost(), {
    ...(name !== undefined && { facility: name }),
    ...(options.limit !== undefined && { limit: options.limit }),
  })
  if (name !== undefined && entries.length === 0) await expectDeclared(session, name)
  if (options.output === 'json') context.out.writeExact(jsonText({ entries }))
  else context.out.write(historyText(entries, context.out))
  return 0
}

/** Throws ReeveError `not-found`: a name that was never used is a typing mistake, not an empty history. */
async function expectDeclared(session: Session, name: string): Promise<void> {
  const { loadManifests } = await import('../manifest/manifest-source.ts')
  if (loadManifests(session.manifests).facilities.some(facility => facility.name === name)) return
  throw new ReeveError(
    'not-found',
    `there is no facility ${name} in ${session.directory}, and nothing was ever done to one`,
  )
}
