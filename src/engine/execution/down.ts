import type { ApplyOutcome } from '../../core/contracts/apply-outcome.ts'
import type { Plan } from '../../core/plan/step.ts'
import { ReeveError } from '../../core/reeve-error.ts'
import type { FileClaims } from '../../core/state/file-claim.ts'
import type { ManifestSet } from '../../manifest/manifest-set.ts'
import { makePlanRun, type PlanRun } from '../refresh/plan-run.ts'
import type { Session } from '../session/session.ts'
import { writeRecord, writeSuspended } from '../session/state-files.ts'
import { expectWriterLockFree, takeWriterLock } from '../session/writer-lock.ts'
import type { ApplyOptions } from './apply.ts'
import { findUndone, reportedIn } from './outcome.ts'
import { executePlan } from './plan-execution.ts'
import { nextRecord } from './record-keeping.ts'

/** Plan that `takeDown` would carry out. Throws ReeveError `locked` if another Reeve holds the lock. */
export async function makeDownPlan(session: Session, names: readonly string[], set?: ManifestSet): Promise<Plan> {
  expectWriterLockFree(session)
  return (await makePlanRun(session, { removal: names, set })).plan
}

/** Stops and removes the named facilities, or everything that is owned, and ends their suspensions. */
export async function takeDown(
  session: Session,
  names: readonly string[],
  options: Pick<ApplyOptions, 'signal' | 'listener' | 'command' | 'set'>,
): Promise<ApplyOutcome> {
  const { command = 'down' } = options
  using _lock = await takeWriterLock(session, `reeve ${command}`)
  const planRun = await makePlanRun(session, { removal: names, set: options.set })
  expectOwned(names, planRun.plan)
  endSuspensions(session, planRun)
  const claims = (): FileClaims => planRun.claims
  const { outcome } = await executePlan(session, planRun, { ...options, trigger: command, claims })
  const after = await makePlanRun(session, { removal: [], set: options.set })
  writeRecord(
    session.configuration.stateDirectory,
    nextRecord({ ...after, owner: session.configuration.owner }),
    after.record,
    session.openWriteHost(),
  )
  if (options.signal.aborted) return outcome
  const chosen = after.plan.facilities.filter(({ name }) => names.length === 0 || names.includes(name))
  return { ...outcome, undone: findUndone(planRun.plan, chosen, reportedIn(outcome)) }
}

/** Throws ReeveError `not-found` for names that nothing is owned of. */
export function expectOwned(names: readonly string[], { facilities }: Pick<Plan, 'facilities'>): void {
  const missing = names.filter(name => !facilities.some(facility => facility.name === name))
  if (missing.length === 0) return
  throw new ReeveError(
    'not-found',
    `Reeve owns no facility ${missing.join(', ')} on this host; reeve status shows those that it does`,
  )
}

/** Ends suspensions before the removal: after a crash in between, the facility would no longer be found, and its suspension would stay (E4). */
function endSuspensions(session: Session, { plan, suspended }: PlanRun): void {
  const going = new Set(plan.facilities.flatMap(({ name, change }) => (change === 'remove' ? name : [])))
  const kept = new Set([...suspended].filter(name => !going.has(name)))
  if (kept.size === suspended.size) return
  writeSuspended(session.configuration.stateDirectory, kept, session.openWriteHost())
}
