import { basename } from 'node:path'
import type { ApplyOutcome } from '../../core/contracts/apply-outcome.ts'
import type { RolloutStatus } from '../../core/contracts/source-status.ts'
import type { Status } from '../../core/contracts/status.ts'
import type { Clock } from '../../host/clock.ts'
import type { PlanRun } from '../refresh/plan-run.ts'
import type { Look, Rollout } from '../rollout/rollout.ts'

/** What was found without a controller. `applied`: the pass before it. */
export function lookWithout(
  { planRun, status }: { readonly planRun: PlanRun; readonly status: Status },
  applied: ApplyOutcome | undefined,
): Look {
  const { plan, refresh, set } = planRun
  const work = new Set(plan.facilities.filter(({ steps }) => steps.length > 0).map(({ name }) => name))
  const failures = [...(applied?.failed ?? []), ...(applied?.notReady ?? [])]
  return {
    set,
    plan: applied?.plan ?? plan,
    commit: basename(set.revision),
    facilities: status.facilities,
    hasWork: name => work.has(name),
    isSettled: work.size === 0,
    isHindered: refresh.snapshot.unavailable.size > 0 || refresh.targets.some(({ startProblems }) => startProblems),
    failures: new Map(failures.map(({ facility, message }) => [facility, message])),
  }
}

/** How long (ms) to wait at most before it is looked again. */
const longestPause = 1_000

export interface DirectSettling {
  readonly rollout: Rollout
  /** When the roll-out wants to be judged again, by `Clock.elapsed`. */
  readonly due: () => number
  readonly clock: Clock
  readonly signal: AbortSignal
  look(applied: ApplyOutcome | undefined): Promise<Look>
  /** Applies the manifests in force, after the way back has put others there. */
  apply(): Promise<ApplyOutcome>
}

/** Judges the revision again and again until it is known what became of it, without a controller. */
export async function settleDirectly(
  { rollout, due, clock, signal, look, apply }: DirectSettling,
  first: ApplyOutcome | undefined,
): Promise<RolloutStatus | undefined> {
  let applied = first
  while (rollout.isOpen() && !signal.aborted) {
    const before = rollout.source.revision()?.commit
    await rollout.judge(await look(applied))
    applied = undefined
    if (rollout.source.revision()?.commit !== before) applied = await apply()
    else if (rollout.isBusy()) await clock.sleep(Math.min(longestPause, Math.max(0, due() - clock.elapsed())), signal)
    else break
  }
  return rollout.status().rollout
}
