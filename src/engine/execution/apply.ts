import { type ApplyOutcome, emptyOutcome } from '../../core/contracts/apply-outcome.ts'
import type { EngineListener } from '../../core/contracts/engine-event.ts'
import { countOwned, findRemovalProblem } from '../../core/plan/removal-guard.ts'
import type { Plan } from '../../core/plan/step.ts'
import { findLater, type RolloutGate } from '../../core/reconcile/rollout-turn.ts'
import { ReeveError } from '../../core/reeve-error.ts'
import type { ManifestSet } from '../../manifest/manifest-set.ts'
import { findBootProblem } from '../refresh/boot-start.ts'
import { makePlanRun, type PlanRun } from '../refresh/plan-run.ts'
import { type Session, saveParseCache } from '../session/session.ts'
import { spellCommand } from '../session/session-words.ts'
import { readSuspended, writeRecord, writeSuspended } from '../session/state-files.ts'
import { takeWriterLock } from '../session/writer-lock.ts'
import { outputGroundOf, withLastOutput } from './last-output.ts'
import { evaluateOutcome, withCauses, withHindrances, withTroubles } from './outcome.ts'
import { executePlan } from './plan-execution.ts'
import { announcePlans, nextRecord, noteDone, noteWritten } from './record-keeping.ts'

export interface ApplyOptions {
  /** Number of removals that are allowed, beyond the limit. */
  readonly allowRemovals?: number
  /** Saved plan; carried out only if it still matches. */
  readonly saved?: Pick<Plan, 'digest'>
  readonly signal: AbortSignal
  readonly listener: EngineListener
  /** Name of the command for the lock and the history. Default: `apply`, or `down`. */
  readonly command?: string
  /** Replaces what the manifests declare. */
  readonly set?: ManifestSet
  /** True: the caller holds the writer's lock. */
  readonly isLocked?: true
  /** Which facilities may not begin now. Absent: all may. */
  readonly gate?: () => RolloutGate | undefined
}

/** Plan that `applyOnce` would carry out. Writes nothing. Problems of manifests are in its diagnostics. */
export async function makeCurrentPlan(session: Session): Promise<Plan> {
  return (await makePlanRun(session)).plan
}

/**
 * Applies the manifests once and waits until facilities are ready; does exactly the steps of the plan (E17). Throws ReeveError
 * before the first step: `locked`, `invalid`, `refused` (too many removals), `stale-plan`.
 */
export async function applyOnce(session: Session, options: ApplyOptions): Promise<ApplyOutcome> {
  const { command = 'apply' } = options
  using _lock = options.isLocked ? undefined : await takeWriterLock(session, `reeve ${command}`)
  const whole = await makePlanRun(session, { set: options.set })
  // With an invalid file, nothing is changed (E10). The caller shows the diagnostics.
  if (!whole.set.complete) return emptyOutcome(whole.plan)
  expectIntended(whole, session, options)
  const later = findLater(whole.plan, options.gate?.())
  const planRun = leaveOut(whole, later)
  const { plan } = planRun
  const { owner, stateDirectory } = session.configuration
  saveParseCache(session)
  const announced = announcePlans({ ...planRun.record, claims: planRun.claims }, plan.facilities, { ...planRun, owner })
  writeRecord(stateDirectory, announced, planRun.record, session.openWriteHost())
  keepSuspended(session, planRun)
  let record = announced
  const { outcome, hasWaited, undoings } = await executePlan(session, planRun, {
    ...options,
    trigger: command,
    claims: () => record.claims,
    wrote(path, digest) {
      record = noteWritten(record, path, digest)
    },
    done(target) {
      record = noteDone(record, target)
    },
  })
  writeRecord(stateDirectory, record, announced, session.openWriteHost())
  // If nothing was done or waited for, the snapshot of the plan is still up to date.
  const isStale = outcome.stepsDone > 0 || outcome.failed.length > 0 || hasWaited
  const after = isStale ? await makePlanRun(session, { set: planRun.set }) : { ...planRun, record }
  const next = nextRecord({ ...after, owner })
  writeRecord(stateDirectory, next, after.record, session.openWriteHost())
  const declared = after.refresh.targets.map(({ facility }) => facility)
  const atBoot = await findBootProblem(session, after, declared)
  const done = { ...outcome, ...(atBoot !== undefined && { atBoot }) }
  // After an abort, unfinished steps aren't reported as undone.
  if (options.signal.aborted) return withHindrances(withTroubles(done, after.plan.troubles ?? []), after)
  const evaluated = withCauses(evaluateOutcome(done, leaveOut(after, later)), undoings, after)
  return withLastOutput(evaluated, after.refresh, outputGroundOf(session, after))
}

/** Throws ReeveError `stale-plan` if the plan differs from the saved one, `refused` if it removes more than is allowed. */
export function expectIntended(
  { plan, refresh }: Pick<PlanRun, 'plan' | 'refresh'>,
  session: Session,
  { saved, allowRemovals }: Pick<ApplyOptions, 'saved' | 'allowRemovals'>,
): void {
  if (saved && saved.digest !== plan.digest) {
    throw new ReeveError(
      'stale-plan',
      'the saved plan no longer fits: the manifests or the host have changed since it was made. Make a new one with reeve plan --out FILE',
    )
  }
  const { owner, removalLimit } = session.configuration
  const owned = countOwned(refresh.snapshot, owner)
  const problem = findRemovalProblem(plan, owned, removalLimit, spellCommand('apply', session), allowRemovals)
  if (problem !== undefined) throw new ReeveError('refused', problem)
}

/** The same without these facilities, which begin later. */
function leaveOut<Run extends Pick<PlanRun, 'plan' | 'refresh'>>(run: Run, later: ReadonlySet<string>): Run {
  if (later.size === 0) return run
  const { plan, refresh } = run
  return {
    ...run,
    plan: { ...plan, facilities: plan.facilities.filter(({ name }) => !later.has(name)) },
    refresh: { ...refresh, targets: refresh.targets.filter(({ facility }) => !later.has(facility.name)) },
  }
}

/** Carries suspensions over to new names, so that they last when `renamedFrom` is dropped. */
function keepSuspended(session: Session, { suspended }: PlanRun): void {
  const { stateDirectory } = session.configuration
  const before = readSuspended(stateDirectory, session.readHost)
  if ([...suspended].every(name => before.has(name))) return
  writeSuspended(stateDirectory, suspended, session.openWriteHost())
}
