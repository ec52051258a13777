import { basename } from 'node:path'
import type { ApplyOutcome } from '../../core/contracts/apply-outcome.ts'
import type { Status } from '../../core/contracts/status.ts'
import type { Plan } from '../../core/plan/step.ts'
import { findLater } from '../../core/reconcile/rollout-turn.ts'
import type { Clock } from '../../host/clock.ts'
import type { PlanRun } from '../refresh/plan-run.ts'
import type { Look } from '../rollout/look.ts'
import type { Rollout } from '../rollout/rollout.ts'
import { reportOutcome } from '../rollout/rollout-report.ts'

/** What was found without a controller. `applied`: the pass before it. */
export function lookWithout(
  { planRun, status }: { readonly planRun: PlanRun; readonly status: Status },
  applied: ApplyOutcome | undefined,
): Look {
  const { plan, record, refresh, set } = planRun
  const work = new Set(plan.facilities.filter(({ steps }) => steps.length > 0).map(({ name }) => name))
  const failures = [...(applied?.failed ?? []), ...(applied?.notReady ?? [])]
  return {
    set,
    plan,
    commit: basename(set.revision),
    facilities: status.facilities,
    hasWork: name => work.has(name),
    hindered: new Set(refresh.targets.flatMap(({ facility, startProblems }) => (startProblems ? facility.name : []))),
    unavailable: refresh.snapshot.unavailable,
    applied: record.applied,
    failures: new Map(failures.map(({ facility, message }) => [facility, message])),
  }
}

/** How long (ms) to wait at least and at most before it is looked again. */
const shortestPause = 100
const longestPause = 1_000

export interface DirectSettling {
  readonly rollout: Rollout
  /** When the roll-out wants to be judged again, by `Clock.elapsed`. */
  readonly due: () => number
  readonly clock: Clock
  readonly signal: AbortSignal
  look(applied: ApplyOutcome | undefined): Promise<Look>
  /** Applies what may begin of the manifests in force. */
  apply(): Promise<ApplyOutcome>
}

/**
 * Judges the revision again and again until it is known what became of it, and applies what is left of it, or of the one that it goes back
 * to. Gives the outcome of all, also when it is interrupted, or stalled for too long.
 */
export async function settleDirectly(
  { rollout, due, clock, signal, look, apply }: DirectSettling,
  first: ApplyOutcome,
): Promise<ApplyOutcome> {
  let [outcome, applied]: [ApplyOutcome, ApplyOutcome | undefined] = [first, first]
  try {
    while (rollout.isOpen() && !signal.aborted) {
      const before = rollout.source.revision()?.commit
      const found = await look(applied)
      // What is left is not what the revision was about to do.
      await rollout.judge(applied ? { ...found, plan: applied.plan } : found)
      applied = undefined
      const isOther = rollout.source.revision()?.commit !== before
      if (isOther || (rollout.isBusy() && hasWork(found.plan, rollout))) {
        applied = await apply()
        outcome = together(outcome, applied)
      } else if (!rollout.isBusy()) break
      if (rollout.isStuck()) break
      if (!applied) await clock.sleep(Math.min(longestPause, Math.max(shortestPause, due() - clock.elapsed())), signal)
    }
  } catch (error) {
    // What was done until the interruption is told.
    if (!signal.aborted) throw error
  }
  return { ...outcome, ...reportOutcome(rollout.status()) }
}

/** Something may begin now. */
function hasWork(plan: Plan, { gate }: Rollout): boolean {
  const later = findLater(plan, gate())
  return plan.facilities.some(({ name, steps }) => steps.length > 0 && !later.has(name))
}

/** The outcome of passes that follow one another. What the last one finds, counts. */
function together(before: ApplyOutcome, after: ApplyOutcome): ApplyOutcome {
  return {
    ...after,
    plan: before.plan,
    failed: [...before.failed, ...after.failed],
    notReady: [...before.notReady, ...after.notReady],
    stepsDone: before.stepsDone + after.stepsDone,
  }
}
