import type { ControlOptions, ControlOutcome, ControlVerb } from '../../core/contracts/control.ts'
import type { Facility } from '../../core/model/facility.ts'
import type { ResolvedFacility } from '../../core/model/resolved-facility.ts'
import { canReload, isUpToDate } from '../../core/plan/required-restart.ts'
import { describeNoStart, isServing } from '../../core/plan/start-blocker.ts'
import type { FacilityPlan } from '../../core/plan/step.ts'
import { ReeveError } from '../../core/reeve-error.ts'
import type { Activation } from '../../core/state/observed.ts'
import { locationKey, type Snapshot } from '../../core/state/snapshot.ts'

/** Manual action as a plan of one step, or its outcome if there is nothing to do. */
export type ManualAction = Act | { readonly outcome: ControlOutcome }

export interface Act {
  readonly plan: FacilityPlan
  /** True: its timer, socket or path is active already, so the service that it activates is started now. */
  readonly startsJob?: boolean
  /** Present if the service is started by an activation unit. */
  readonly activation?: Activation
}

export function planManualAction(
  verb: ControlVerb,
  at: { readonly name: string; readonly supervisor: string; readonly service: string },
  snapshot: Snapshot,
  target: ResolvedFacility | undefined,
  options: ControlOptions,
): ManualAction {
  const observed = snapshot.services.get(locationKey(at))
  if (!observed || observed.state === 'unknown' || observed.state === 'absent') {
    const why =
      observed?.message ??
      (observed?.state === 'absent'
        ? 'it is not installed; apply the manifests first'
        : 'the supervisor does not answer')
    throw new ReeveError(
      'failed',
      `${verb} ${at.name}: expected service ${at.service} under supervisor ${at.supervisor}, found its state ${observed?.state ?? 'unknown'}: ${why}`,
    )
  }
  if (options.ifStopped && observed.state !== 'stopped' && observed.state !== 'failed') {
    return nothing(`${at.name} is ${observed.state}, not stopped: nothing done`)
  }
  if (options.ifChanged && target?.definition && isUpToDate(target, observed, snapshot)) {
    return nothing(`${at.name} runs with its present configuration: nothing done`)
  }
  const { activation } = observed
  const isUp = observed.state === 'running' && observed.supervised
  const idle = verb === 'start' && isUp ? findIdle(at.name, activation) : undefined
  if (idle !== undefined) return nothing(idle)
  if (verb === 'stop' && observed.state === 'stopped') return nothing(`${at.name} is stopped already`)
  if (verb === 'enable' && observed.enabled === true) return nothing(`${at.name} is enabled already`)
  if (verb === 'disable' && observed.enabled === false) return nothing(`${at.name} is disabled already`)
  if (verb === 'reload' && observed.state !== 'running') {
    throw new ReeveError(
      'failed',
      `reload ${at.name}: expected it to be running, found it ${observed.state}; start it instead`,
    )
  }
  const isWithoutReload = verb === 'reload' && !canReload(target?.facility, observed)
  const action = isWithoutReload ? 'restart' : verb
  if (action === 'restart' && target?.startProblems && isServing(observed)) {
    throw new ReeveError('refused', `${verb} ${at.name}: ${describeNoStart(target.startProblems)}`)
  }
  const step = {
    id: `${at.name}/${verb}`,
    verb: action,
    reason: 'requested',
    needs: [],
  } as const
  const { name, supervisor, service } = at
  const plan = { name, supervisor, service, change: 'change', steps: [step] } as const
  return { plan, ...(verb === 'start' && isUp && { startsJob: true }), ...(activation && { activation }) }
}

/** Message if a start has nothing to do for a service that is up. */
function findIdle(name: string, activation: Activation | undefined): string | undefined {
  if (!activation) return `${name} is running already`
  if (activation.connections) return `${name} is running already: each connection starts a process of its own`
  if (activation.lastRun?.outcome !== 'running') return undefined
  return `${name} is running already, and so is what it starts: ${activation.starts.join(', ')}`
}

/** Message if a running controller would undo the action at its next pass, with the two ways out. */
export function findUndoing(verb: ControlVerb, facility: Facility): string | undefined {
  if (facility.suspend) return undefined
  const declared = {
    start: facility.state === 'stopped' ? 'state: stopped' : undefined,
    stop: facility.state === 'running' ? 'state: running' : undefined,
    enable: facility.enabled === false ? 'enabled: false' : undefined,
    disable: facility.enabled === true ? 'enabled: true' : undefined,
    restart: facility.state === 'stopped' ? 'state: stopped' : undefined,
    reload: undefined,
  }[verb]
  if (declared === undefined) return undefined
  return (
    `the controller would undo it at its next pass, as facility ${facility.name} is declared ${declared}. ` +
    `Either add --suspend (do it, and leave the facility alone until reeve resume ${facility.name}), or change the manifest`
  )
}

const PAST: Readonly<Record<ControlVerb, string>> = {
  start: 'started',
  stop: 'stopped',
  restart: 'restarted',
  reload: 'reloaded',
  enable: 'enabled',
  disable: 'disabled',
}

export function describeDone(verb: ControlVerb, { plan, startsJob, activation }: Act): ControlOutcome {
  const { name } = plan
  const job = activation?.starts.join(', ')
  if (startsJob) {
    const message = `${name}: ${job} was started now, beside what starts it otherwise; reeve status ${name} tells how it went`
    return { changed: true, message }
  }
  if (verb === 'reload' && plan.steps.some(step => step.verb === 'restart')) {
    return { changed: true, message: `${name} restarted, as it declares no reload` }
  }
  const waits = `, and waits for its time or its visitors; reeve start ${name} once more starts ${job} now`
  const isWaiting = activation && (verb === 'start' || verb === 'restart') && !activation.connections
  return { changed: true, message: `${name} ${PAST[verb]}${isWaiting ? waits : ''}` }
}

/** Outcome of an action. `mark`: that of suspending the facility with it, which lasts even if the action failed. Throws `error`. */
export function concludeAction(
  verb: ControlVerb,
  name: string,
  action: ManualAction,
  { mark, error }: { readonly mark: ControlOutcome | undefined; readonly error?: Error | undefined },
): ControlOutcome {
  if (error && mark) {
    const { code, cause } = error instanceof ReeveError ? error : { code: 'failed' as const, cause: error }
    const message = `${error.message}; ${name} is suspended all the same, until reeve resume ${name}`
    throw new ReeveError(code, message, { cause })
  }
  if (error) throw error
  const outcome = 'outcome' in action ? action.outcome : describeDone(verb, action)
  if (!mark) return outcome
  const message = `${outcome.message}, and suspended until reeve resume ${name}`
  return { changed: outcome.changed || mark.changed, message }
}

function nothing(message: string): { outcome: ControlOutcome } {
  return { outcome: { changed: false, message } }
}
