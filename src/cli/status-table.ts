import type { Condition, FacilityStatus, Status } from '../core/contracts/status.ts'
import { RUN_FAILED, STARTING } from '../core/state/readiness.ts'
import { describeUnwritable } from '../core/state/unwritable.ts'
import { ageText } from './duration-text.ts'
import { type Colors, oneLine, remarkText, type Screen, wrap } from './screen.ts'
import { type Column, tableText } from './table.ts'

/** Width of the labels of one facility's values, in columns. */
const LABEL_WIDTH = 15

type TableScreen = Pick<Screen, 'colors' | 'width'>

export interface StatusTextOptions {
  /** Problems besides those in the status. */
  readonly problems?: readonly string[]
  /** Stands in place of an empty table; ended. */
  readonly empty?: string
}

/** `reeve status`: a line for each facility, and before it what is wrong with the whole. `now` in ms. */
export function statusText(
  status: Status,
  screen: TableScreen,
  now: number,
  { problems = [], empty = 'No facilities.\n' }: StatusTextOptions = {},
): string {
  const all = [
    ...(status.controller?.problems ?? []),
    ...(status.unwritable ?? []).map(describeUnwritable),
    ...problems,
  ]
  const table =
    status.facilities.length === 0 ? empty : tableText(status.facilities, statusColumns(screen, now), screen)
  return all.map(problem => remarkText('!', problem, screen)).join('') + table
}

/** `reeve status NAME`: all there is to know of one. */
export function facilityStatusText(facility: FacilityStatus, screen: TableScreen, now: number): string {
  const { colors } = screen
  const service = facility.service === facility.name ? '' : ` (service ${facility.service})`
  const since = facility.since === null ? '' : ` since ${facility.since} (${ageText(now - Date.parse(facility.since))})`
  const lines = [
    colors.bold(facility.name),
    `  supervisor   ${facility.supervisor}${service}`,
    `  state        ${stateColor(facility, colors)(facility.state)}${since}`,
    `  enabled      ${enabledText(facility)}`,
    `  health       ${healthColor(facility, colors)(facility.health)}`,
    `  pid          ${facility.pid ?? '-'}`,
  ]
  if (facility.restarts !== undefined) lines.push(`  restarts     ${facility.restarts}`)
  if (facility.lastExit !== undefined) lines.push(...labelled('last exit', facility.lastExit.message, screen))
  for (const [index, line] of (facility.lastOutput ?? []).entries()) {
    lines.push(`${(index === 0 ? '  last output' : '').padEnd(LABEL_WIDTH)}${oneLine(line)}`)
  }
  lines.push(...activationLines(facility, screen, now))
  if (facility.output !== undefined) lines.push(`  output       ${oneLine(facility.output)}`)
  for (const path of facility.overrides ?? []) lines.push(`  override     ${oneLine(path)}`)
  for (const { supervisor, service, state, pid } of facility.elsewhere ?? []) {
    lines.push(`  elsewhere    ${supervisor}/${service}: ${state}${pid === null ? '' : `, pid ${pid}`}`)
  }
  for (const condition of facility.conditions) {
    const age = ageText(now - Date.parse(condition.since))
    lines.push(...labelled(condition.type, `${conditionSentence(condition)} (${age})`, screen))
  }
  return lines.map(line => `${line}\n`).join('')
}

/** A text wrapped in a column beside its label. */
function labelled(label: string, text: string, { width }: Pick<Screen, 'width'>): string[] {
  const [first = '', ...rest] = wrap(oneLine(text), width() ?? Number.POSITIVE_INFINITY, LABEL_WIDTH)
  return [`  ${label.padEnd(LABEL_WIDTH - 2)}${first.trimStart()}`, ...rest]
}

/** `Stalled False` needs no reason. */
function conditionSentence({ type, status, reason, message }: Condition): string {
  if (type === 'Stalled' && status === 'False') return status
  return `${status}, ${reason}${message === '' ? '' : `: ${oneLine(message)}`}`
}

/** Activation units: the next run, and the outcome of the last one. */
function activationLines({ activation }: FacilityStatus, screen: TableScreen, now: number): string[] {
  if (!activation) return []
  const { starts, nextRun, lastRun, failure, connections } = activation
  const lines = [`  starts       ${oneLine(starts.join(', '))}`]
  if (nextRun !== null) lines.push(`  next run     ${nextRun} (in ${ageText(Date.parse(nextRun) - now)})`)
  lines.push(...labelled('last run', lastRun ? runText(lastRun, now) : '-', screen))
  if (failure && lastRun?.outcome !== 'failed') {
    lines.push(...labelled('last failed', failedText(failure, now), screen))
  }
  if (connections) lines.push(`  connections  ${connections.open} open, ${connections.accepted} accepted`)
  return lines
}

function runText({ outcome, began, ended, message }: NonNullable<Activation['lastRun']>, now: number): string {
  const at = ended ?? began
  const when = at === null ? '' : ` ${outcome === 'running' ? 'since ' : ''}${at} (${ageText(now - Date.parse(at))})`
  return `${outcome}${when}${message === undefined ? '' : `: ${oneLine(message)}`}`
}

function failedText({ at, message }: NonNullable<Activation['failure']>, now: number): string {
  return `${at === null ? '' : `${at} (${ageText(now - Date.parse(at))}): `}${oneLine(message)}`
}

type Activation = NonNullable<FacilityStatus['activation']>

function statusColumns({ colors }: TableScreen, now: number): readonly Column<FacilityStatus>[] {
  return [
    { title: 'NAME', value: facility => facility.name },
    { title: 'SUPERVISOR', value: facility => facility.supervisor, drop: 1 },
    {
      title: 'STATE',
      value: facility => facility.state,
      style: (text, facility) => stateColor(facility, colors)(text),
    },
    { title: 'ENABLED', value: enabledText, drop: 2 },
    {
      title: 'HEALTH',
      value: facility => (facility.health === 'none' ? '-' : facility.health),
      style: (text, facility) => healthColor(facility, colors)(text),
      drop: 5,
    },
    { title: 'PID', value: facility => String(facility.pid ?? '-'), drop: 3 },
    { title: 'UPTIME', value: facility => uptimeText(facility, now), drop: 4 },
    {
      title: 'RESTARTS',
      value: facility => String(facility.restarts ?? '-'),
      style: (text, facility) => (facility.restarts ? colors.yellow(text) : text),
      drop: 3,
    },
    {
      title: 'CONDITION',
      value: facility => conditionText(facility, now),
      style: (text, facility) => conditionColor(facility, colors)(text),
      flexible: true,
      // The cause of a problem is worth more than the uptime.
      atLeast: 48,
    },
  ]
}

function uptimeText(facility: FacilityStatus, now: number): string {
  if (facility.state !== 'running' || facility.since === null) return '-'
  return ageText(now - Date.parse(facility.since))
}

function enabledText(facility: FacilityStatus): string {
  if (facility.enabled === null) return '-'
  return facility.enabled ? 'yes' : 'no'
}

/**
 * The most telling condition: Stalled, else Reconciling, else Ready. Beside it what must not be
 * overlooked: a suspension, right after the word, where no terminal cuts it off; or pending steps.
 */
function conditionText(facility: FacilityStatus, now: number): string {
  const suspended = notReconciling(facility, 'Suspended') ? ', suspended' : ''
  const todo = facility.pending ?? notReconciling(facility, 'OutOfSync')?.message
  const pending = todo === undefined ? '' : `; ${todo}`
  const stalled = trueCondition(facility, 'Stalled')
  if (stalled) return `${withMessage(`Stalled${suspended}`, stalled)}${stalled.reason === 'Blocked' ? '' : pending}`
  const reconciling = trueCondition(facility, 'Reconciling')
  if (reconciling) return withMessage('Reconciling', reconciling)
  const ready = facility.conditions.find(condition => condition.type === 'Ready')
  if (ready === undefined) return '-'
  if (ready.status === 'True') return `Ready${suspended}${pending}${nextRunText(facility, now)}`
  const word = `${ready.status === 'False' ? 'Not ready' : 'Unknown'}${suspended}`
  return `${withMessage(word, ready)}${toldWhen(facility, ready, now)}${pending}`
}

function nextRunText({ activation }: FacilityStatus, now: number): string {
  if (!activation || activation.nextRun === null) return ''
  return `; next run in ${ageText(Date.parse(activation.nextRun) - now)}`
}

/** When it happened, as conditions hold no times. */
function toldWhen({ activation, state, since }: FacilityStatus, { reason }: Condition, now: number): string {
  if (reason === STARTING && state === 'starting' && since !== null) return ` (for ${ageText(now - Date.parse(since))})`
  const at = reason === RUN_FAILED ? activation?.failure?.at : undefined
  return typeof at === 'string' ? ` (${ageText(now - Date.parse(at))} ago)` : ''
}

function notReconciling(facility: FacilityStatus, reason: string): Condition | undefined {
  return facility.conditions.find(condition => {
    return condition.type === 'Reconciling' && condition.status === 'False' && condition.reason === reason
  })
}

function trueCondition(facility: FacilityStatus, type: Condition['type']): Condition | undefined {
  return facility.conditions.find(condition => condition.type === type && condition.status === 'True')
}

function withMessage(word: string, condition: Condition): string {
  const rest = condition.message === '' ? condition.reason : condition.message
  return rest === '' ? word : `${word}: ${rest}`
}

function conditionColor(facility: FacilityStatus, colors: Colors): (text: string) => string {
  if (trueCondition(facility, 'Stalled')) return colors.red
  if (trueCondition(facility, 'Reconciling')) return colors.yellow
  if (notReconciling(facility, 'Suspended') || notReconciling(facility, 'OutOfSync')) return colors.yellow
  const ready = facility.conditions.find(condition => condition.type === 'Ready')
  return ready?.status === 'True' ? colors.green : colors.yellow
}

function stateColor(facility: FacilityStatus, colors: Colors): (text: string) => string {
  if (facility.state === 'running') return colors.green
  if (facility.state === 'failed') return colors.red
  return facility.state === 'stopped' || facility.state === 'absent' ? String : colors.yellow
}

function healthColor(facility: FacilityStatus, colors: Colors): (text: string) => string {
  if (facility.health === 'healthy') return colors.green
  if (facility.health === 'unhealthy') return colors.red
  return facility.health === 'starting' ? colors.yellow : String
}
