import type { ExitCode } from '../cli/command-io.ts'
import { type CommandContext, jsonText, type OutputFormat, openCommandSession } from '../cli/context.ts'
import { revisionsText, revisionText } from '../cli/revisions-table.ts'
import { ReeveError } from '../core/reeve-error.ts'

export interface RevisionsOptions {
  readonly output: OutputFormat
}

/** Shows what became of revisions on this host, the newest first; or of one. */
export async function revisions(
  context: CommandContext,
  wanted: string | undefined,
  options: RevisionsOptions,
): Promise<ExitCode> {
  const { io, out } = context
  const session = await openCommandSession(context, undefined)
  const { readRevisions } = await import('../engine/rollout/rollout-report.ts')
  const all = readRevisions(session)
  const found = wanted === undefined ? all : all.filter(({ commit }) => commit.startsWith(wanted))
  if (wanted !== undefined && found.length !== 1) {
    const problem = found.length === 0 ? 'no revision of that name was tried on this host' : 'more than one begins so'
    throw new ReeveError('not-found', `expected a revision, found ${wanted}: ${problem}; reeve revisions lists them`)
  }
  const [only] = found
  if (options.output === 'json') out.writeExact(jsonText(wanted === undefined ? { revisions: found } : (only ?? {})))
  else if (wanted !== undefined && only) out.write(revisionText(only, out))
  else out.write(revisionsText(found, out, io.clock.now()))
  return 0
}

/** Puts a former revision into force, and keeps it there until `reeve sync`. */
export async function rollback(
  context: CommandContext,
  wanted: string | undefined,
  options: RevisionsOptions,
): Promise<ExitCode> {
  const { out, err } = context
  const session = await openCommandSession(context, undefined)
  const { openControl } = await import('../engine/control/control-access.ts')
  const control = await openControl(session)
  const revision = await control.rollback(wanted)
  if (options.output === 'json') out.writeExact(jsonText(revision))
  else out.write(`${revisionText(revision, out)}It stays in force until reeve sync.\n`)
  const isReconciled = session.configuration.mode === 'reconcile'
  if (control.pid === undefined && isReconciled)
    err.write('No controller runs: run reeve apply --no-fetch to apply it.\n')
  return 0
}
