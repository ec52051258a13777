import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { ExitCode } from '../cli/command-io.ts'
import { type AnswerOptions, type CommandContext, jsonText, openCommandSession, openLog } from '../cli/context.ts'
import { reportDiagnostics } from '../cli/diagnostic-report.ts'
import { listenForInterruption } from '../cli/interruption.ts'
import { type NamedDirectory, namedDirectory } from '../cli/named-directory.ts'
import { outcomeProblems, outcomeText } from '../cli/outcome-text.ts'
import { startProgress } from '../cli/progress.ts'
import { remarkText } from '../cli/screen.ts'
import { outcomeWords, waitingRevisionText } from '../cli/source-text.ts'
import type { Control } from '../core/contracts/control.ts'
import { isObject, parseJson } from '../core/outside-value.ts'
import { findInsecurePath, lookupIn } from '../core/paths/path-permissions.ts'
import type { SavedPlan } from '../core/plan/step.ts'
import { messageOf, ReeveError } from '../core/reeve-error.ts'
import { localFiles } from '../manifest/read/manifest-files.ts'

export interface ApplyOptions extends AnswerOptions {
  readonly plan?: string
  readonly allowRemovals?: number
  readonly fetch?: boolean
}

/** Fails if anything is not as declared at the end: a step failed, a facility isn't ready or is blocked, a newer revision waits. */
export async function apply(
  context: CommandContext,
  directory: string | undefined,
  options: ApplyOptions,
): Promise<ExitCode> {
  const { io, out, err } = context
  const trusts = context.globals.insecurePermissions === true
  const saved = options.plan === undefined ? undefined : await readPlan(resolve(io.cwd, options.plan), trusts)
  const progress = startProgress(err, io.clock)
  let control: Control | undefined
  using interruption = listenForInterruption(io, () => {
    // A controller goes on.
    if (control?.pid === undefined) progress.screen.write('Interrupted, ending what is under way.\n')
  })
  const session = await openCommandSession(
    context,
    namedDirectory(directory, options.manifests) ?? plannedDirectory(saved),
    openLog(context, { level: 'warn', screen: progress.screen }),
  )
  const { openControl } = await import('../engine/control/control-access.ts')
  const { settingsOf } = await import('../engine/session/settings.ts')
  control = await openControl(session)
  const wish = {
    ...(options.allowRemovals !== undefined && { allowRemovals: options.allowRemovals }),
    ...(saved !== undefined && { saved: { digest: saved.digest } }),
    ...(options.fetch === false && { fetch: false }),
  }
  const ways = {
    signal: interruption.signal,
    listener: progress.listener,
    settings: settingsOf(session, true),
  }
  const outcome = await control.apply(wish, ways).finally(progress.end)
  if (options.output === 'json') out.writeExact(jsonText(outcome))
  if (await reportDiagnostics(outcome.plan.diagnostics, err)) {
    err.write('Nothing was changed.\n')
    return 1
  }
  const interrupted = interruption.signal.aborted
  const { revision, waiting } = outcome
  const isHealthy = revision === undefined || revision.outcome === 'Healthy'
  const ok = outcomeProblems(outcome).length === 0 && isHealthy && !waiting && !interrupted
  const text = outcomeText(outcome, { command: 'reeve apply', interrupted, colors: err.colors })
  if (outcome.atBoot !== undefined) err.write(remarkText('Warning:', outcome.atBoot, err))
  if (revision && !isHealthy && !interrupted) {
    const { commit, outcome: found, message = '' } = revision
    err.write(remarkText('!', `revision ${commit.slice(0, 12)}: ${outcomeWords[found]}: ${message}`, err))
  }
  if (waiting) err.write(remarkText('!', `revision ${waitingRevisionText(waiting)}`, err))
  if (!ok) err.write(text)
  else if (options.output === 'text') out.write(text)
  return ok ? 0 : 1
}

function plannedDirectory(saved: SavedPlan | undefined): NamedDirectory | undefined {
  return saved?.manifests === undefined ? undefined : { path: saved.manifests, origin: 'that of the saved plan' }
}

/** Reads a saved plan. `trusts`: also one that others can write. */
async function readPlan(path: string, trusts: boolean): Promise<SavedPlan> {
  const insecure = trusts ? undefined : findInsecurePath(path, lookupIn(localFiles), process.geteuid?.() ?? 0)
  if (insecure) throw new ReeveError('insecure', `the saved plan ${path} can't be trusted: ${insecure.message}`)
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw new ReeveError('not-found', `the saved plan could not be read: ${messageOf(error)}`, { cause: error })
  })
  const value = parseJson(text)
  if (isPlan(value)) return value
  throw new ReeveError('invalid', `${path} is not a plan of format version 1; save one with reeve plan --out FILE`)
}

/** Tells a plan from something else. Its digest tells whether it is whole and still fits. */
function isPlan(value: unknown): value is SavedPlan {
  if (!isObject(value) || value.formatVersion !== 1) return false
  const { digest, facilities, manifests = '' } = value
  return typeof digest === 'string' && Array.isArray(facilities) && typeof manifests === 'string'
}
