import type { ApplyOutcome } from '../../core/contracts/apply-outcome.ts'
import type {
  Control,
  ControlOptions,
  ControlOutcome,
  ControlVerb,
  HostControl,
  PassWish,
} from '../../core/contracts/control.ts'
import type { EngineListener } from '../../core/contracts/engine-event.ts'
import type { SourceStatus } from '../../core/contracts/source-status.ts'
import type { Condition, Status } from '../../core/contracts/status.ts'
import { findRenames } from '../../core/plan/plan-input.ts'
import { ReeveError } from '../../core/reeve-error.ts'
import type { Observed } from '../../core/state/observed.ts'
import { type HealthState, readinessOf } from '../../core/state/readiness.ts'
import { type Location, locationKey, type OwnedLocation } from '../../core/state/snapshot.ts'
import { missingDirectory } from '../../manifest/read/manifest-snapshot.ts'
import { applyOnce } from '../execution/apply.ts'
import { makeDownPlan, takeDown } from '../execution/down.ts'
import { addLastOutput, outputGroundOf } from '../execution/last-output.ts'
import { executeWork } from '../execution/plan-execution.ts'
import { probeHealth } from '../health/health-probe.ts'
import { createProbeTrust, type ProbeTrust } from '../health/probe-trust.ts'
import { findBootProblem } from '../refresh/boot-start.ts'
import { makePlanRun, type PlanRun } from '../refresh/plan-run.ts'
import type { Look } from '../rollout/look.ts'
import { readRolloutState } from '../rollout/rollout-state.ts'
import { openHistory } from '../session/history.ts'
import type { Session } from '../session/session.ts'
import { type Mark, openSuspensions } from '../session/suspension.ts'
import { takeWriterLock } from '../session/writer-lock.ts'
import { concludeAction, planManualAction } from './manual-action.ts'
import { modeOf } from './report-mode.ts'
import { type FollowedSource, withSource } from './source-control.ts'
import { createElsewhere, findPending, findUndeclared, makeFacilityStatus, type StatusFacts } from './status-report.ts'

/**
 * Control without a controller: this process observes, and acts under the writer's lock. Conditions keep their transition times
 * between calls.
 */
export function createDirectControl(session: Session): Control {
  let conditions: ReadonlyMap<string, readonly Condition[]> = new Map()
  const control: HostControl = {
    async status(name) {
      const { planRun, status } = await reportStatus(session, conditions)
      const { facilities } = status
      conditions = new Map(facilities.map(facility => [facility.name, facility.conditions]))
      const chosen = name === undefined ? facilities : facilities.filter(facility => facility.name === name)
      if (name !== undefined && chosen.length === 0) throw notFound(name, session)
      return { ...status, facilities: await addLastOutput(chosen, outputGroundOf(session, planRun)) }
    },
    act: (verb, name, options) => act(session, verb, name, options ?? {}),
    suspend: name => setSuspended(session, name, true),
    resume: name => setSuspended(session, name, false),
    apply: (wish, ways) => applyOnce(session, { ...wish, ...ways }),
    planDown: names => makeDownPlan(session, names),
    down: (names, ways) => takeDown(session, names, ways),
  }
  return withSource(control, session, (ask, purpose, signal) =>
    session.followsSource ? askSource(session, { ask, purpose, signal }) : undefined,
  )
}

interface SourceQuestion<T> {
  readonly ask: (source: FollowedSource) => Promise<T>
  /** Name of the command, for the lock. */
  readonly purpose: string
  readonly signal: AbortSignal
}

/** Follows the source for one question, under the writer's lock. */
async function askSource<T>(session: Session, { ask, purpose, signal }: SourceQuestion<T>): Promise<T> {
  using _lock = await takeWriterLock(session, purpose)
  const { clock } = session
  const { openSource } = await import('../session/source-opening.ts')
  const { openRollout } = await import('../rollout/rollout.ts')
  const { lookWithout, settleDirectly } = await import('./direct-rollout.ts')
  let due = 0
  const rollout = openRollout(session, {
    open: admission => openSource(session, admission),
    isController: false,
    changed() {},
    again(at) {
      due = at
    },
    signal,
  })
  const sync = async (): Promise<SourceStatus> => {
    await rollout.source.sync(signal)
    return rollout.status()
  }
  return ask({
    rollout,
    sync,
    async accept(commit) {
      await sync()
      rollout.source.accept(commit)
      return sync()
    },
    // Nobody applies it: it stays as it is.
    async whenSettled() {},
    async apply(wish, ways) {
      const listener: EngineListener = event => {
        rollout.noted(event)
        ways.listener(event)
      }
      const apply = (more: PassWish): Promise<ApplyOutcome> =>
        applyOnce(session, { ...more, ...ways, listener, isLocked: true, gate: rollout.gate })
      const look = async (applied: ApplyOutcome | undefined): Promise<Look> =>
        lookWithout(await reportStatus(session, new Map()), applied)
      const ground = { rollout, due: () => due, clock, signal: ways.signal, look, apply: () => apply({}) }
      return settleDirectly(ground, await apply(wish))
    },
  })
}

async function reportSource(session: Session): Promise<SourceStatus | undefined> {
  const { readSource } = await import('../session/source-opening.ts')
  const { reportRollout } = await import('../rollout/rollout-report.ts')
  const found = readSource(session)
  const state = readRolloutState(session.configuration.stateDirectory, session.readHost)
  return found && { ...found, ...reportRollout(state, undefined) }
}

async function reportStatus(
  session: Session,
  before: ReadonlyMap<string, readonly Condition[]>,
): Promise<{ readonly planRun: PlanRun; readonly status: Status }> {
  const planRun = await makePlanRun(session)
  const { refresh, plan } = planRun
  const plans = new Map(plan.facilities.map(facility => [facility.name, facility]))
  const now = session.clock.now()
  const elsewhere = createElsewhere(refresh.snapshot, session.configuration.owner)
  const pids = refresh.targets.flatMap(({ facility }) => {
    const pid = refresh.snapshot.services.get(locationKey(facility))?.pid
    return pid === undefined ? [] : [[facility.name, pid] as const]
  })
  const trust = createProbeTrust({ host: session.readHost, pids: () => pids })
  const facts = await Promise.all(
    refresh.targets.map(async ({ facility, problems }): Promise<StatusFacts> => {
      const observed = refresh.snapshot.services.get(locationKey(facility))
      const facilityPlan = plans.get(facility.name)
      const { blocked } = facilityPlan ?? {}
      // Health checks that the policy forbids aren't run.
      const { health, probeError } = await askHealth(
        session,
        facility,
        problems.length === 0 ? observed : undefined,
        trust,
      )
      return {
        ...facility,
        observed,
        elsewhere: elsewhere(facility),
        health,
        readiness: readinessOf(facility, observed, health, now, probeError),
        suspended: facility.suspend,
        failures: 0,
        ...(blocked === undefined ? {} : { blocked }),
        ...findPending(facilityPlan),
      }
    }),
  )
  const declared = refresh.targets.map(target => target.facility)
  const rest = findUndeclared(refresh.snapshot, session.configuration.owner, declared, planRun.suspended)
  const all = [...facts, ...rest.map(undeclared => ({ ...undeclared, ...findPending(plans.get(undeclared.name)) }))]
  const facilities = all
    .map(one => makeFacilityStatus(one, before.get(one.name) ?? [], now))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
  const atBoot = await findBootProblem(session, planRun, declared)
  const source = session.followsSource ? await reportSource(session) : undefined
  const status = {
    ...modeOf(session),
    facilities,
    ...(source && { source }),
    ...(plan.unwritable && { unwritable: plan.unwritable }),
    ...(atBoot !== undefined && { atBoot }),
  }
  return { planRun, status }
}

async function askHealth(
  session: Session,
  facility: PlanRun['refresh']['targets'][number]['facility'],
  observed: Observed | undefined,
  trust: ProbeTrust,
): Promise<{ readonly health: HealthState; readonly probeError?: string }> {
  if (!facility.health) return { health: 'none' }
  if (observed?.state !== 'running') return { health: 'unknown' }
  const signal = new AbortController().signal
  const ask = () => probeHealth(facility, session.probeHost, session.clock, signal)
  const result = await trust.check(facility, observed, ask)
  return result.healthy ? { health: 'healthy' } : { health: 'unhealthy', probeError: result.message }
}

async function act(
  session: Session,
  verb: ControlVerb,
  name: string,
  options: ControlOptions,
): Promise<ControlOutcome> {
  using _lock = await takeWriterLock(session, `reeve ${verb} ${name}`)
  const planRun = await makePlanRun(session)
  const target = planRun.refresh.targets.find(({ facility }) => facility.name === name)
  const at = findFacility(planRun, name, session)
  if (!at) throw notFound(name, session)
  const action = planManualAction(verb, { ...at, name }, planRun.refresh.snapshot, target, options)
  // An action that is refused doesn't suspend the facility.
  const trigger = `reeve ${verb}`
  const mark = options.suspend ? setMark(session, planRun, { name, suspended: true, at, trigger }) : undefined
  if ('outcome' in action) return concludeAction(verb, name, action, { mark })
  // A manual action doesn't wait for dependencies.
  const [result] = await executeWork(session, planRun, [action], { trigger, listener() {} })
  return concludeAction(verb, name, action, { mark, error: result?.error })
}

async function setSuspended(session: Session, name: string, suspended: boolean): Promise<ControlOutcome> {
  const trigger = suspended ? 'reeve suspend' : 'reeve resume'
  using _lock = await takeWriterLock(session, trigger)
  const planRun = await makePlanRun(session)
  const at = findFacility(planRun, name, session)
  if (!at && !planRun.suspended.has(name)) throw notFound(name, session)
  return setMark(session, planRun, { name, suspended, at, trigger })
}

/** Location where the facility is declared, else where it is owned. */
function findFacility({ refresh }: PlanRun, name: string, { configuration }: Session): Location | undefined {
  const declared = refresh.targets.find(({ facility }) => facility.name === name)?.facility
  const isIt = ({ ownership }: OwnedLocation): boolean =>
    ownership.facility === name && ownership.owner === configuration.owner
  return declared ?? refresh.snapshot.owned.find(isIt)
}

function setMark(session: Session, { set }: PlanRun, mark: Omit<Mark, 'byManifest'>): ControlOutcome {
  const host = session.openWriteHost()
  const history = openHistory(session.configuration.stateDirectory, host)
  const byManifest = set.facilities.some(facility => facility.name === mark.name && facility.suspend)
  const suspensions = openSuspensions(session, host, history)
  suspensions.carryOver(findRenames(set.facilities))
  return suspensions.change({ ...mark, byManifest })
}

export function notFound(name: string, session: Session): ReeveError {
  const { directory, manifests, readHost } = session
  const others = readHost.facts(directory)
    ? `nor in ${directory}; reeve status shows all there are`
    : `and ${missingDirectory(directory, manifests.directoryOrigin)}`
  return new ReeveError('not-found', `there is no facility ${name} among what Reeve owns, ${others}`)
}
