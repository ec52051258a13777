import { writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { ExitCode } from '../cli/command-io.ts'
import { type CommandContext, jsonText, type OutputFormat, openCommandSession } from '../cli/context.ts'
import { reportDiagnostics } from '../cli/diagnostic-report.ts'
import { hasChanges, planText } from '../cli/plan-text.ts'
import { messageOf, ReeveError } from '../core/reeve-error.ts'
import type { SavedPlan } from '../core/step.ts'

export interface PlanOptions {
  readonly output: OutputFormat
  readonly detailedExitcode?: boolean
  readonly out?: string
}

/** Text, JSON, the saved file and the exit code all come from the one plan. */
export async function plan(
  context: CommandContext,
  directory: string | undefined,
  options: PlanOptions,
): Promise<ExitCode> {
  const session = await openCommandSession(context, directory)
  const { makeOutlook } = await import('../engine/outlook.ts')
  const { plan } = await makeOutlook(session)
  const invalid = await reportDiagnostics(plan.diagnostics, context.err)
  if (options.output === 'json') context.out.write(jsonText(plan))
  else if (!invalid) context.out.write(planText(plan, context.out))
  // An invalid set can't be applied, so neither can a plan made from it.
  if (invalid) return 1
  if (options.out !== undefined)
    await savePlan({ ...plan, manifests: session.directory }, resolve(context.io.cwd, options.out))
  return options.detailedExitcode && hasChanges(plan.summary) ? 2 : 0
}

/** Readable by its owner only: diffs show what is in configuration files. */
async function savePlan(plan: SavedPlan, path: string): Promise<void> {
  try {
    await writeFile(path, jsonText(plan), { mode: 0o600 })
  } catch (error) {
    throw new ReeveError('failed', `the plan could not be saved: ${messageOf(error)}`, { cause: error })
  }
}
