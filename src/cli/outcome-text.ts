import type { ApplyOutcome, Undone } from '../core/contracts/apply-outcome.ts'
import { groupBy, namesText } from './grouping.ts'
import { hasChanges, summaryText, suspendedText } from './plan-text.ts'
import { reasonText, stepText } from './reason-text.ts'
import { type Colors, count, oneLine } from './screen.ts'

export interface OutcomeProblem {
  readonly facility: string
  readonly kind: 'failed' | 'not ready' | 'blocked' | 'not as declared'
  readonly message: string
}

/** Why the host isn't as declared after a pass. */
export function outcomeProblems(outcome: ApplyOutcome): OutcomeProblem[] {
  const blocked = outcome.plan.facilities.filter(facility => facility.blocked !== undefined)
  return [
    ...outcome.failed.map(({ facility, message }) => ({ facility, kind: 'failed' as const, message })),
    ...outcome.notReady.map(({ facility, message }) => ({ facility, kind: 'not ready' as const, message })),
    ...outcome.undone.map(each => ({ facility: each.facility, ...undoneProblem(each) })),
    ...blocked.map(({ name, blocked }) => ({ facility: name, kind: 'blocked' as const, message: blocked ?? '' })),
  ]
}

function undoneProblem({ steps, blocked, cause }: Undone): Pick<OutcomeProblem, 'kind' | 'message'> {
  if (blocked !== undefined) return { kind: 'blocked', message: blocked }
  const due = steps.map(step => `${stepText(step)} (${reasonText(step)})`).join(', ')
  return {
    kind: 'not as declared',
    message: `changed again after all steps were done${cause === undefined ? '' : ` (${cause})`}; to do: ${due}`,
  }
}

/** Final text of `apply` and `down`, each line ended. `command`: the one to run again. */
export function outcomeText(
  outcome: ApplyOutcome,
  options: { readonly command: string; readonly interrupted: boolean; readonly colors: Colors },
): string {
  const { colors, command } = options
  const problems = outcomeProblems(outcome)
  const lines = groupBy(problems, ({ kind, message }) => `${kind} ${message}`).map(group => {
    const [{ kind, message }] = group
    const [first = '', ...rest] = message.split('\n')
    const names = colors.bold(namesText(group.map(({ facility }) => facility)))
    return [`${colors.red(kind)} ${names}: ${oneLine(first)}`, ...rest.map(line => `    ${oneLine(line)}`)].join('\n')
  })
  for (const { path, why } of outcome.plan.facilities.flatMap(({ kept = [] }) => kept)) {
    lines.push(colors.yellow(oneLine(`${path} was kept: ${why}`)))
  }
  for (const { path, why } of outcome.plan.facilities.flatMap(({ unkept = [] }) => unkept)) {
    lines.push(colors.yellow(oneLine(`no copy of ${path} was kept: ${why}`)))
  }
  if (outcome.suspended.length > 0) lines.push(colors.yellow(suspendedText(outcome.suspended)))
  const steps = count(outcome.stepsDone, 'step')
  const what = options.interrupted ? 'Interrupted' : 'Failed'
  const isDone = problems.length === 0 && !options.interrupted
  const isInTheWay = !options.interrupted && problems.every(({ kind }) => kind === 'blocked')
  const next = isInTheWay
    ? `Resolve the blockers and run ${command} again.`
    : options.interrupted
      ? `Run ${command} again to resume from here.`
      : `Fix the cause and run ${command} again; it resumes from here.`
  lines.push(colors.bold(isDone ? doneText(outcome) : `${what} after ${steps}. ${next}`))
  return lines.map(line => `${line}\n`).join('')
}

function doneText({ plan: { summary }, suspended }: ApplyOutcome): string {
  if (!hasChanges(summary)) return summaryText(summary, suspended.length)
  const { add, change, repair, remove, unchanged } = summary
  return `Done: ${add} added, ${change} changed, ${repair} repaired, ${remove} removed, ${unchanged} unchanged.`
}
