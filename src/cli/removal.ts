import { type ApplyOutcome, emptyOutcome } from '../core/contracts/apply-outcome.ts'
import type { Plan } from '../core/plan/step.ts'
import type { ApplyOptions } from '../engine/execution/apply.ts'
import type { ExitCode } from './command-io.ts'
import { confirm } from './confirmation.ts'
import { type CommandContext, jsonText, type OutputFormat } from './context.ts'
import { listenForInterruption } from './interruption.ts'
import { outcomeProblems, outcomeText } from './outcome-text.ts'
import { hasChanges, planText } from './plan-text.ts'
import type { Progress } from './progress.ts'

export interface Removal {
  readonly plan: Plan
  readonly output: OutputFormat
  /** `--yes`: don't ask. */
  readonly yes?: boolean
  /** The command to run again after a failure. */
  readonly command: string
  /** Message if there is nothing to do. */
  readonly nothing: string
  readonly question: string
  /** Advice without a terminal to ask at. */
  readonly otherwise: string
  /** A controller does it and goes on after an interruption here. */
  readonly isElsewhere?: boolean
  remove(ways: Pick<ApplyOptions, 'signal' | 'listener'>): Promise<ApplyOutcome>
}

/** Shows the removals, asks, carries them out and reports the outcome. */
export async function carryOutRemoval(
  context: CommandContext,
  progress: Progress,
  { plan, output, command, ...removal }: Removal,
): Promise<ExitCode> {
  const { io, out, err } = context
  if (!hasChanges(plan.summary) && plan.summary.blocked === 0) {
    if (output === 'json') out.writeExact(jsonText(emptyOutcome(plan)))
    else out.write(`${removal.nothing}\n`)
    return 0
  }
  err.write(planText(plan, err))
  if (!removal.yes && !(await confirm(removal.question, removal.otherwise, context))) {
    err.write('Nothing was changed.\n')
    return 1
  }
  using interruption = listenForInterruption(io, () => {
    if (!removal.isElsewhere) progress.screen.write('Interrupted, ending what is under way.\n')
  })
  const ways = { signal: interruption.signal, listener: progress.listener }
  const outcome = await removal.remove(ways).finally(progress.end)
  const interrupted = interruption.signal.aborted
  if (output === 'json') out.writeExact(jsonText(outcome))
  const text = outcomeText(outcome, { command, interrupted, colors: err.colors })
  const ok = outcomeProblems(outcome).length === 0 && !interrupted
  if (!ok) err.write(text)
  else if (output === 'text') out.write(text)
  return ok ? 0 : 1
}
