import { existsSync } from 'node:fs'
import { realpath, rename, rm, stat, writeFile } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import type { ExitCode } from '../cli/command-io.ts'
import { type CommandContext, jsonText, type OutputFormat, openCommandSession } from '../cli/context.ts'
import { reportDiagnostics } from '../cli/diagnostic-report.ts'
import { namedDirectory } from '../cli/named-directory.ts'
import { detailedExitCode, planText } from '../cli/plan-text.ts'
import { checkRevisionOptions, planRevision, type RevisionPlan } from '../cli/planned-revision.ts'
import { remarkText } from '../cli/screen.ts'
import { countOwned, findRemovalProblem } from '../core/plan/removal-guard.ts'
import type { SavedPlan } from '../core/plan/step.ts'
import { messageOf, ReeveError } from '../core/reeve-error.ts'
import type { Session } from '../engine/session/session.ts'
import { spellCommand } from '../engine/session/session-words.ts'
import { rootStateDirectory } from '../manifest/host-configuration-file.ts'

export interface PlanOptions {
  readonly output: OutputFormat | 'markdown'
  readonly manifests?: string
  readonly detailedExitcode?: boolean
  readonly out?: string
  readonly brief?: boolean
  readonly revision?: string
  readonly source?: string
  readonly against?: string
}

/** Text, JSON, the saved file and the exit code all come from one plan. */
export async function plan(
  context: CommandContext,
  directory: string | undefined,
  options: PlanOptions,
): Promise<ExitCode> {
  checkRevisionOptions(directory, options)
  const isElsewhere = options.against !== undefined
  const named = namedDirectory(directory, options.manifests)
  const session = await openCommandSession(context, named, undefined, { isElsewhere })
  const { findSuspended } = await import('../engine/refresh/plan-run.ts')
  const planRun = await planRevision(context, session, options)
  const { plan } = planRun
  const invalid = await reportDiagnostics(plan.diagnostics, context.err)
  const refusal = findRefusal(planRun, session)
  const shown = { brief: options.brief === true, suspended: findSuspended(planRun) }
  if (options.output === 'json') context.out.writeExact(jsonText(plan))
  else if (options.output === 'markdown') {
    const { planMarkdown } = await import('../cli/plan-markdown.ts')
    const notes = [...planRun.notes, ...(refusal === undefined ? [] : [`${refusalLabel} ${refusal}`])]
    context.out.writeExact(planMarkdown(plan, { ...shown, notes, name: nameOf(context, session, options) }))
  } else if (!invalid) context.out.write(planText(plan, context.out, shown))
  if (refusal !== undefined) context.err.write(remarkText(refusalLabel, refusal, context.err))
  tellOfOtherState(session, context)
  // An invalid set can't be applied, so neither can a plan made from it; nor a commit that isn't trusted.
  if (invalid || planRun.untrusted !== undefined) return 1
  if (options.out !== undefined)
    await savePlan({ ...plan, manifests: session.directory }, resolve(context.io.cwd, options.out))
  return options.detailedExitcode ? detailedExitCode(plan) : 0
}

const refusalLabel = 'reeve apply will refuse this plan:'

/** Why apply will refuse the plan (E9). */
function findRefusal({ plan, refresh }: RevisionPlan, session: Session): string | undefined {
  const { owner, removalLimit } = session.configuration
  return findRemovalProblem(plan, countOwned(refresh.snapshot, owner), removalLimit, spellCommand('apply', session))
}

/** What is planned, whatever commit it is of: a plan takes the place of an older one of that name. */
function nameOf(
  { globals }: CommandContext,
  { configuration: { source }, followsSource, manifests }: Session,
  options: PlanOptions,
): string {
  const followed = followsSource && source?.type === 'git' ? `${source.url.text}:${source.path}` : manifests.directory
  const planned = options.source?.replace(/#[^:]*/, '') ?? followed
  return globals.config === undefined ? planned : `${planned} on ${globals.config}`
}

/** Without root, a host kept by root's Reeve looks empty: the plan is made from the user's own state. */
function tellOfOtherState(
  { configuration: { stateDirectory }, manifests }: Session,
  { err, globals }: CommandContext,
): void {
  if (manifests.runsAsRoot || globals.stateDir !== undefined || !existsSync(rootStateDirectory)) return
  if (stateDirectory === rootStateDirectory) return
  const what = `this plan is made from your own state, ${stateDirectory}; root's Reeve keeps its in ${rootStateDirectory}`
  err.write(remarkText('Note:', `${what}. Run reeve plan as root to see what it would do`, err))
}

async function savePlan(plan: SavedPlan, path: string): Promise<void> {
  try {
    await writePrivately(path, jsonText(plan))
  } catch (error) {
    throw new ReeveError('failed', `the plan could not be saved: ${messageOf(error)}`, { cause: error })
  }
}

/**
 * Readable by this user only (S4): diffs show what is in configuration files. A file that is there already is replaced, as
 * it may be another's, or have been opened by others. What is no file (/dev/stdout) is written to as it is.
 */
async function writePrivately(path: string, text: string): Promise<void> {
  // If stat fails, writing fails as well, and says why.
  const existing = await stat(path).catch(() => undefined)
  if (existing !== undefined && !existing.isFile()) return writeFile(path, text)
  const target = existing === undefined ? path : await realpath(path)
  const temporary = join(dirname(target), `.${basename(target)}.${process.pid}`)
  try {
    await writeFile(temporary, text, { mode: 0o600, flag: 'wx' })
    await rename(temporary, target)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
}
