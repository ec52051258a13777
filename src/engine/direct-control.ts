import type { Observed } from '../core/observed.ts'
import { findRenames } from '../core/plan-input.ts'
import { readinessOf } from '../core/readiness.ts'
import { ReeveError } from '../core/reeve-error.ts'
import { describePending } from '../core/step.ts'
import { type Location, locationKey, type OwnedLocation } from '../core/world.ts'
import { openActing } from './acting.ts'
import { applyOnce, makeDownPlan, takeDown } from './apply.ts'
import { findBootProblem } from './boot-start.ts'
import type { Control, ControlOptions, ControlOutcome, ControlVerb } from './control.ts'
import { createProbeTrust, type ProbeTrust } from './health/probe-trust.ts'
import { probeHealth } from './health-probe.ts'
import { openHistory } from './history.ts'
import { addLastOutput, outputGroundOf } from './last-output.ts'
import { makeOutlook, type Outlook } from './outlook.ts'
import { describeDone, makeRequest, suspendedAllTheSame, withMark } from './request.ts'
import type { Session } from './session.ts'
import type { Condition, Status } from './status.ts'
import { createElsewhere, findUndeclared, makeFacilityStatus, type StatusFacts } from './status-report.ts'
import { type Mark, openSuspensions } from './suspension.ts'
import { takeWriterLock } from './writer-lock.ts'

/**
 * What people ask when no controller runs: looked at, or done here under the writer's lock. Who asks again learns since when
 * each condition is as it is, as far as it was asked before.
 */
export function createDirectControl(session: Session): Control {
  let conditions: ReadonlyMap<string, readonly Condition[]> = new Map()
  return {
    async status(name) {
      const { outlook, status } = await reportStatus(session, conditions)
      const { facilities } = status
      conditions = new Map(facilities.map(facility => [facility.name, facility.conditions]))
      const chosen = name === undefined ? facilities : facilities.filter(facility => facility.name === name)
      if (name !== undefined && chosen.length === 0) throw notFound(name, session)
      return { ...status, facilities: await addLastOutput(chosen, outputGroundOf(outlook)) }
    },
    act: (verb, name, options) => act(session, verb, name, options ?? {}),
    suspend: name => setSuspended(session, name, true),
    resume: name => setSuspended(session, name, false),
    apply: (wish, ways) => applyOnce(session, { ...wish, ...ways }),
    planDown: names => makeDownPlan(session, names),
    down: (names, ways) => takeDown(session, names, ways),
  }
}

async function reportStatus(
  session: Session,
  before: ReadonlyMap<string, readonly Condition[]>,
): Promise<{ readonly outlook: Outlook; readonly status: Status }> {
  const outlook = await makeOutlook(session)
  const { survey, plan } = outlook
  const plans = new Map(plan.facilities.map(facility => [facility.name, facility]))
  const now = session.clock.now()
  const elsewhere = createElsewhere(survey.world, session.configuration.owner)
  const pids = survey.targets.flatMap(({ facility }) => {
    const pid = survey.world.services.get(locationKey(facility))?.pid
    return pid === undefined ? [] : [[facility.name, pid] as const]
  })
  const trust = createProbeTrust({ host: session.readHost, pids: () => pids })
  const facts = await Promise.all(
    survey.targets.map(async ({ facility, problems }): Promise<StatusFacts> => {
      const observed = survey.world.services.get(locationKey(facility))
      const facilityPlan = plans.get(facility.name)
      const { blocked } = facilityPlan ?? {}
      // What the policy forbids isn't run to find out how it is.
      const found = await askHealth(session, facility, problems.length === 0 ? observed : undefined, trust)
      const pending = describePending(facilityPlan)
      return {
        ...facility,
        observed,
        elsewhere: elsewhere(facility),
        health: found,
        readiness: readinessOf(facility, observed, found, now),
        suspended: facility.suspend,
        failures: 0,
        ...(blocked === undefined ? {} : { blocked }),
        ...(pending === undefined ? {} : { pending }),
      }
    }),
  )
  const declared = survey.targets.map(target => target.facility)
  const all = [...facts, ...findUndeclared(survey.world, session.configuration.owner, declared, outlook.suspended)]
  const facilities = all
    .map(one => makeFacilityStatus(one, before.get(one.name) ?? [], now))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
  const atBoot = await findBootProblem(session, outlook)
  const status = {
    facilities,
    ...(plan.unwritable && { unwritable: plan.unwritable }),
    ...(atBoot !== undefined && { atBoot }),
  }
  return { outlook, status }
}

async function askHealth(
  session: Session,
  facility: Outlook['survey']['targets'][number]['facility'],
  observed: Observed | undefined,
  trust: ProbeTrust,
) {
  if (!facility.health) return 'none'
  if (observed?.state !== 'running') return 'unknown'
  const signal = new AbortController().signal
  const ask = () => probeHealth(facility, session.openWriteHost(), session.clock, signal)
  const result = await trust.check(facility, observed, ask)
  return result.healthy ? 'healthy' : 'unhealthy'
}

async function act(
  session: Session,
  verb: ControlVerb,
  name: string,
  options: ControlOptions,
): Promise<ControlOutcome> {
  using _lock = await takeWriterLock(session, `reeve ${verb} ${name}`)
  const outlook = await makeOutlook(session)
  const target = outlook.survey.targets.find(({ facility }) => facility.name === name)
  const at = findFacility(outlook, name, session)
  if (!at) throw notFound(name, session)
  const observed = outlook.survey.world.services.get(locationKey(at))
  const request = makeRequest(verb, { name, supervisor: at.supervisor, service: at.service }, observed, target, options)
  // What can't be done doesn't suspend it either.
  const trigger = `reeve ${verb}`
  const mark = options.suspend ? setMark(session, outlook, { name, suspended: true, at, trigger }) : undefined
  if ('outcome' in request) return withMark(name, request.outcome, mark)
  let failure: Error | undefined
  using acting = openActing(session, {
    instances: () => outlook.instances,
    claims: () => outlook.claims,
    trigger,
    bounded: true,
    listener() {},
    settled(result) {
      failure = result.error
    },
  })
  // By hand means now: what it depends on isn't waited for.
  acting.executor.submit([request])
  await acting.executor.idle()
  if (failure) throw mark ? suspendedAllTheSame(name, failure) : failure
  return withMark(name, describeDone(verb, request), mark)
}

async function setSuspended(session: Session, name: string, suspended: boolean): Promise<ControlOutcome> {
  const trigger = suspended ? 'reeve suspend' : 'reeve resume'
  using _lock = await takeWriterLock(session, trigger)
  const outlook = await makeOutlook(session)
  const at = findFacility(outlook, name, session)
  if (!at && !outlook.suspended.has(name)) throw notFound(name, session)
  return setMark(session, outlook, { name, suspended, at, trigger })
}

/** Where it is declared; else where it is owned. */
function findFacility({ survey }: Outlook, name: string, { configuration }: Session): Location | undefined {
  const declared = survey.targets.find(({ facility }) => facility.name === name)?.facility
  const isIt = ({ ownership }: OwnedLocation): boolean =>
    ownership.facility === name && ownership.owner === configuration.owner
  return declared ?? survey.world.owned.find(isIt)
}

function setMark(session: Session, { set }: Outlook, mark: Omit<Mark, 'byManifest'>): ControlOutcome {
  const host = session.openWriteHost()
  const history = openHistory(session.configuration.stateDirectory, host)
  const byManifest = set.facilities.some(facility => facility.name === mark.name && facility.suspend)
  const suspensions = openSuspensions(session, host, history)
  suspensions.carryOver(findRenames(set.facilities))
  return suspensions.change({ ...mark, byManifest })
}

export function notFound(name: string, session: Session): ReeveError {
  return new ReeveError(
    'not-found',
    `there is no facility ${name} in ${session.directory}, nor among what Reeve owns; reeve status shows all there are`,
  )
}
