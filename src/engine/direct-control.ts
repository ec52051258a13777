import { readinessOf } from '../core/readiness.ts'
import { ReeveError } from '../core/reeve-error.ts'
import { locationKey } from '../core/world.ts'
import { openActing } from './acting.ts'
import type { Control, ControlOptions, ControlOutcome, ControlVerb } from './control.ts'
import { probeHealth } from './health-probe.ts'
import { makeOutlook, type Outlook } from './outlook.ts'
import { describeDone, makeRequest } from './request.ts'
import type { Session } from './session.ts'
import { readSuspended, writeSuspended } from './state-files.ts'
import type { Condition, FacilityStatus } from './status.ts'
import { createElsewhere, findUndeclared, makeFacilityStatus, type StatusFacts } from './status-report.ts'
import { takeWriterLock } from './writer-lock.ts'

/**
 * What people ask when no controller runs: looked at, or done here under the writer's lock. Who asks again learns since when
 * each condition is as it is, as far as it was asked before.
 */
export function createDirectControl(session: Session): Control {
  let conditions: ReadonlyMap<string, readonly Condition[]> = new Map()
  return {
    async status(name) {
      const facilities = await reportStatus(session, conditions)
      conditions = new Map(facilities.map(facility => [facility.name, facility.conditions]))
      if (name === undefined) return { facilities }
      const chosen = facilities.filter(facility => facility.name === name)
      if (chosen.length === 0) throw notFound(name, session)
      return { facilities: chosen }
    },
    act: (verb, name, options) => act(session, verb, name, options ?? {}),
    suspend: name => setSuspended(session, name, true),
    resume: name => setSuspended(session, name, false),
  }
}

async function reportStatus(
  session: Session,
  before: ReadonlyMap<string, readonly Condition[]>,
): Promise<FacilityStatus[]> {
  const outlook = await makeOutlook(session)
  const { survey, plan } = outlook
  const plans = new Map(plan.facilities.map(facility => [facility.name, facility]))
  const now = session.clock.now()
  const elsewhere = createElsewhere(survey.world, session.configuration.owner)
  const facts = await Promise.all(
    survey.targets.map(async ({ facility }): Promise<StatusFacts> => {
      const observed = survey.world.services.get(locationKey(facility))
      const found = await askHealth(session, facility, observed?.state === 'running')
      const { blocked, steps = [] } = plans.get(facility.name) ?? {}
      const verbs = steps.map(step => step.verb).join(', ')
      return {
        ...facility,
        observed,
        elsewhere: elsewhere(facility),
        health: found,
        readiness: readinessOf(facility, observed, found, now),
        suspended: facility.suspend,
        failures: 0,
        ...(blocked === undefined ? {} : { blocked }),
        ...(verbs === '' ? {} : { pending: `to do: ${verbs}` }),
      }
    }),
  )
  const declared = new Set(survey.targets.map(target => target.facility.name))
  const all = [...facts, ...findUndeclared(survey.world, session.configuration.owner, declared, outlook.suspended)]
  return all
    .map(one => makeFacilityStatus(one, before.get(one.name) ?? [], now))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
}

async function askHealth(
  session: Session,
  facility: Outlook['survey']['targets'][number]['facility'],
  running: boolean,
) {
  if (!facility.health) return 'none'
  if (!running) return 'unknown'
  const result = await probeHealth(facility, session.openWriteHost(), new AbortController().signal)
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
  const owned = outlook.survey.world.owned.find(
    ({ ownership }) => ownership.facility === name && ownership.owner === session.configuration.owner,
  )
  const at = target?.facility ?? owned
  if (!at) throw notFound(name, session)
  const observed = outlook.survey.world.services.get(locationKey(at))
  const request = makeRequest(verb, { name, supervisor: at.supervisor, service: at.service }, observed, target, options)
  if (options.suspend) setMark(session, name, true)
  if ('outcome' in request) return request.outcome
  let failure: Error | undefined
  using acting = openActing(session, {
    instances: () => outlook.instances,
    trigger: `reeve ${verb}`,
    bounded: true,
    listener() {},
    settled(result) {
      failure = result.error
    },
  })
  // By hand means now: what it depends on isn't waited for.
  acting.executor.submit([{ plan: request.plan }])
  await acting.executor.idle()
  if (failure) throw failure
  return describeDone(verb, request.plan)
}

async function setSuspended(session: Session, name: string, suspended: boolean): Promise<ControlOutcome> {
  using _lock = await takeWriterLock(session, 'reeve suspend')
  const outlook = await makeOutlook(session)
  const isKnown = outlook.survey.targets.some(({ facility }) => facility.name === name)
  if (suspended && !isKnown) throw notFound(name, session)
  return setMark(session, name, suspended)
}

function setMark(session: Session, name: string, suspended: boolean): ControlOutcome {
  const { stateDirectory } = session.configuration
  return changeMark(readSuspended(stateDirectory, session.readHost), name, suspended, names =>
    writeSuspended(stateDirectory, names, session.openWriteHost()),
  )
}

export function changeMark(
  marks: Set<string>,
  name: string,
  suspended: boolean,
  write: (names: ReadonlySet<string>) => void,
): ControlOutcome {
  if (marks.has(name) === suspended) {
    return { changed: false, message: `${name} is ${suspended ? 'suspended already' : 'not suspended'}` }
  }
  const next = new Set(marks)
  if (suspended) next.add(name)
  else next.delete(name)
  // What could not be written down (a full disk) is refused, and so must not hold.
  write(next)
  if (suspended) marks.add(name)
  else marks.delete(name)
  return {
    changed: true,
    message: suspended ? `${name} is suspended until reeve resume ${name}` : `${name} is reconciled again`,
  }
}

export function notFound(name: string, session: Session): ReeveError {
  return new ReeveError(
    'not-found',
    `there is no facility ${name} in ${session.directory}, nor among what Reeve owns; reeve status shows all there are`,
  )
}
