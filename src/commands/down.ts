import { createInterface } from 'node:readline/promises'
import type { CommandIo, ExitCode } from '../cli/command-io.ts'
import { type CommandContext, jsonText, type OutputFormat, openCommandSession, openLog } from '../cli/context.ts'
import { listenForInterruption } from '../cli/interruption.ts'
import { outcomeProblems, outcomeText } from '../cli/outcome-text.ts'
import { hasChanges, planText } from '../cli/plan-text.ts'
import { startProgress } from '../cli/progress.ts'
import { count, type Screen } from '../cli/screen.ts'
import { ReeveError } from '../core/reeve-error.ts'

export interface DownOptions {
  readonly output: OutputFormat
  readonly manifests?: string
  readonly yes?: boolean
}

/** Shows what it is going to stop and remove, and asks; where nobody can be asked, only with `--yes`. */
export async function down(context: CommandContext, names: readonly string[], options: DownOptions): Promise<ExitCode> {
  const { io, out, err } = context
  const progress = startProgress(err, io.clock)
  const session = await openCommandSession(context, options.manifests, openLog(context, 'warn', progress.screen))
  const { makeDownPlan, takeDown } = await import('../engine/apply.ts')
  const plan = await makeDownPlan(session, names)
  const missing = names.filter(name => !plan.facilities.some(facility => facility.name === name))
  if (missing.length > 0) {
    throw new ReeveError('not-found', `Reeve owns no facility ${missing.join(', ')} on this host; see reeve status`)
  }
  if (!hasChanges(plan.summary) && plan.summary.blocked === 0) {
    out.write(
      options.output === 'json' ? jsonText({ plan, failed: [], notReady: [], stepsDone: 0 }) : 'Nothing to remove.\n',
    )
    return 0
  }
  err.write(planText(plan, err))
  if (!options.yes) {
    if (!io.stdin.isTTY || !io.stderr.isTTY) {
      throw new ReeveError(
        'usage',
        'nobody can be asked here; run reeve down --yes to stop and remove all of the above',
      )
    }
    const what = count(plan.summary.remove, 'facility', 'facilities')
    if (!(await confirm(`Stop and remove ${what}? [y/N] `, io, err))) {
      err.write('Nothing was changed.\n')
      return 1
    }
  }
  using interruption = listenForInterruption(io, () =>
    progress.screen.write('Interrupted, ending what is under way.\n'),
  )
  const outcome = await takeDown(session, [...names], {
    signal: interruption.signal,
    listener: progress.listener,
  }).finally(progress.end)
  const interrupted = interruption.signal.aborted
  if (options.output === 'json') out.write(jsonText(outcome))
  const text = outcomeText(outcome, { command: 'reeve down', interrupted, colors: err.colors })
  const ok = outcomeProblems(outcome).length === 0 && !interrupted
  if (!ok) err.write(text)
  else if (options.output === 'text') out.write(text)
  return ok ? 0 : 1
}

async function confirm(question: string, io: CommandIo, screen: Screen): Promise<boolean> {
  screen.write(question)
  const lines = createInterface({ input: io.stdin })
  try {
    for await (const answer of lines) return /^y(es)?$/i.test(answer.trim())
    return false
  } finally {
    lines.close()
  }
}
