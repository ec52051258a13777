import type { SuspendedFacility } from '../core/contracts/apply-outcome.ts'
import type { Change, FacilityPlan, Plan, PlanSummary, Step } from '../core/plan/step.ts'
import { RUN_FAILED, STARTING } from '../core/state/readiness.ts'
import type { Trouble } from '../core/state/trouble.ts'
import { describeUnwritable, type UnwritableReport } from '../core/state/unwritable.ts'
import { visibleText } from '../core/text/visible-text.ts'
import type { ExitCode } from './command-io.ts'
import { groupBy, namesText } from './grouping.ts'
import { reasonText, rollbackText, stepText } from './reason-text.ts'
import { type Colors, count, oneLine, type Screen, wrap } from './screen.ts'

export const signs: Readonly<Record<Exclude<Change, 'none'>, string>> = {
  add: '+',
  change: '~',
  repair: '!',
  remove: '-',
}
/** Widest step that reasons are aligned to; longer ones (with a path) don't push the others' reasons right. */
const STEP_WIDTH = 24

/**
 * The plan for people, each line ended: blocked facilities, one block per facility that changes, suspended ones,
 * the summary. New files are shown as additions. `brief`: only contents that an adoption would overwrite.
 */
export function planText(
  plan: Plan,
  { colors, width }: Pick<Screen, 'colors' | 'width'>,
  {
    brief = false,
    suspended = [],
  }: { readonly brief?: boolean; readonly suspended?: readonly SuspendedFacility[] } = {},
): string {
  const blocked = plan.facilities.filter(facility => facility.blocked !== undefined)
  const changing = plan.facilities.filter(facility => facility.change !== 'none')
  const blocks: string[] = []
  if (blocked.length > 0) blocks.push(blockedText(blocked, colors, width()))
  if (plan.unwritable !== undefined) blocks.push(unwritableText(plan.unwritable, colors, width()))
  if (plan.troubles !== undefined) blocks.push(troublesText(plan.troubles, colors, width()))
  for (const facility of changing) blocks.push(facilityText(facility, { colors, width }, brief))
  if (suspended.length > 0) blocks.push(`${colors.yellow(suspendedText(suspended))}\n${withheldText(plan, colors)}`)
  const summary = summaryText(plan.summary, suspended.length, countIdleTroubles(plan))
  const lines = wrap(summary, width() ?? Number.POSITIVE_INFINITY, 0)
  blocks.push(lines.map(line => `${colors.bold(line)}\n`).join(''))
  return blocks.join('\n')
}

/** Pending steps of suspended facilities, a line each. */
function withheldText({ facilities }: Plan, colors: Colors): string {
  const lines = facilities.flatMap(({ name, withheld }) => {
    if (!withheld) return []
    const { steps, blocked } = withheld
    const what = blocked === undefined ? `when it is resumed: ${steps.map(stepText).join(', ')}` : `blocked: ${blocked}`
    return `  ${colors.bold(name)} is otherwise than declared; ${oneLine(what)}\n`
  })
  return lines.join('')
}

/** `1 facility is suspended: web (stopped; declared running)`. */
export function suspendedText(facilities: readonly SuspendedFacility[]): string {
  const each = facilities.map(({ facility, state, declared }) => {
    const isOtherwise = declared !== 'unmanaged' && declared !== state
    return `${facility} (${state}${isOtherwise ? `; declared ${declared}` : ''})`
  })
  return `${count(facilities.length, 'facility is', 'facilities are')} suspended: ${each.join(', ')}`
}

/** Number of facilities in trouble for which the plan has no step and no blocker. */
function countIdleTroubles({ facilities, troubles = [] }: Plan): number {
  const troubled = new Set(troubles.map(({ facility }) => facility))
  return facilities.filter(
    ({ name, change, blocked }) => change === 'none' && blocked === undefined && troubled.has(name),
  ).length
}

/**
 * `Plan: 1 to add, …` or `No changes. …`. Suspended and troubled facilities don't count as declared.
 */
export function summaryText(summary: PlanSummary, suspended = 0, troubled = 0): string {
  const { add, change, repair, remove, unchanged, blocked } = summary
  if (hasChanges(summary)) {
    const more = blocked === 0 ? '' : `, ${blocked} blocked`
    return `Plan: ${add} to add, ${change} to change, ${repair} to repair, ${remove} to remove, ${unchanged} unchanged${more}.`
  }
  const others = troubled === 0 ? '' : `, ${count(troubled, 'is', 'are')} not`
  const more = blocked === 0 ? '' : `, ${count(blocked, 'is', 'are')} blocked`
  return `No changes. ${count(unchanged - suspended - troubled, 'facility is', 'facilities are')} as declared${others}${more}.`
}

/** For `--detailed-exitcode`: 1 if a facility is blocked, as apply would fail; 2 if not everything is as declared. */
export function detailedExitCode({ summary, troubles = [] }: Plan): ExitCode {
  if (summary.blocked > 0) return 1
  return hasChanges(summary) || troubles.length > 0 ? 2 : 0
}

/** Whether a plan changes anything, for text and JSON alike. */
export function hasChanges(summary: PlanSummary): boolean {
  return summary.add + summary.change + summary.repair + summary.remove > 0
}

function blockedText(facilities: readonly FacilityPlan[], colors: Colors, width: number | undefined): string {
  const lines = [colors.yellow(`${count(facilities.length, 'facility is', 'facilities are')} blocked:`)]
  const room = width ?? Number.POSITIVE_INFINITY
  for (const group of groupBy(facilities, ({ supervisor, blocked }) => `${supervisor} ${blocked}`)) {
    const [first] = group
    const place = group.length === 1 ? placeText(first) : `(${first.supervisor})`
    lines.push(`  ${colors.bold(namesText(group.map(({ name }) => name)))} ${colors.dim(place)}`)
    lines.push(...wrap(oneLine(first.blocked ?? ''), room, 6))
  }
  return lines.map(line => `${line}\n`).join('')
}

function unwritableText(places: readonly UnwritableReport[], colors: Colors, width: number | undefined): string {
  const room = width ?? Number.POSITIVE_INFINITY
  const lines = places.flatMap(place => wrap(oneLine(describeUnwritable(place)), room, 2))
  return [colors.red('Not everything can be written down:'), ...lines].map(line => `${line}\n`).join('')
}

/** `1 facility does not stay up:` and which, with how its last run ended, or since when it is being started. */
function troublesText(troubles: readonly Trouble[], colors: Colors, width: number | undefined): string {
  const failed = troubles.filter(({ reason }) => reason === RUN_FAILED)
  const starting = troubles.filter(({ reason }) => reason === STARTING)
  const down = troubles.filter(({ reason }) => reason !== RUN_FAILED && reason !== STARTING)
  const lines = [
    ...troubleLines(down, ['facility does not stay up:', 'facilities do not stay up:'], colors, width),
    ...troubleLines(
      failed,
      ['job has failed when it ran last:', 'jobs have failed when they ran last:'],
      colors,
      width,
    ),
    ...troubleLines(
      starting,
      ['facility is not yet as declared:', 'facilities are not yet as declared:'],
      colors,
      width,
    ),
  ]
  return lines.map(line => `${line}\n`).join('')
}

function troubleLines(
  troubles: readonly Trouble[],
  [one, many]: readonly [string, string],
  colors: Colors,
  width: number | undefined,
): string[] {
  if (troubles.length === 0) return []
  const lines = [colors.red(count(troubles.length, one, many))]
  const room = width ?? Number.POSITIVE_INFINITY
  for (const group of groupBy(troubles, ({ message }) => message)) {
    lines.push(`  ${colors.bold(namesText(group.map(({ facility }) => facility)))}`)
    lines.push(...wrap(oneLine(group[0].message), room, 6))
  }
  return lines
}

function facilityText(facility: FacilityPlan, screen: Pick<Screen, 'colors' | 'width'>, brief: boolean): string {
  const { colors } = screen
  const { change } = facility
  if (change === 'none') return ''
  const paint = signColor(change, colors)
  const { name, renamedFrom } = facility
  const was = renamedFrom === undefined ? '' : ` (was ${renamedFrom})`
  const lines = [`${paint(`${signs[change]} ${colors.bold(name)}${was}`)} ${colors.dim(placeText(facility))}`]
  const lengths = facility.steps.map(step => stepText(step).length)
  const width = Math.max(0, ...lengths.filter(length => length <= STEP_WIDTH))
  for (const step of facility.steps) {
    lines.push(...stepLines(stepText(step).padEnd(width), reasonText(step), screen))
    // An adoption overwrites what was there, so it is always shown.
    if (!brief || step.reason === 'adopted') lines.push(...diffLines(step, colors))
  }
  if (facility.rollback) lines.push(...stepLines(rollbackText(facility.rollback), 'if the move fails', screen))
  for (const { path, why } of facility.kept ?? []) lines.push(...stepLines(`keep ${path}`, why, screen))
  for (const { path, why } of facility.unkept ?? []) lines.push(...stepLines(`keep no copy of ${path}`, why, screen))
  return lines.map(line => `${line}\n`).join('')
}

/** A step and its reason; a reason that doesn't fit goes below. */
function stepLines(step: string, reason: string, { colors, width }: Pick<Screen, 'colors' | 'width'>): string[] {
  const room = width() ?? Number.POSITIVE_INFINITY
  const line = `    ${step}  `
  if (line.length + reason.length <= room) return [line + colors.dim(reason)]
  return [line.trimEnd(), ...wrap(reason, room, 8).map(part => colors.dim(part))]
}

function placeText(facility: FacilityPlan): string {
  const service = facility.service === facility.name ? '' : `, service ${facility.service}`
  return `(${facility.supervisor}${service})`
}

function diffLines(step: Step, colors: Colors): string[] {
  if (step.diff === undefined) return []
  const lines = step.diff.replace(/\n$/, '').split('\n')
  return lines.map(line => `      ${diffColor(line, colors)(visibleText(line))}`)
}

function diffColor(line: string, colors: Colors): (text: string) => string {
  if (line.startsWith('---') || line.startsWith('+++')) return colors.dim
  if (line.startsWith('+')) return colors.green
  if (line.startsWith('-')) return colors.red
  return line.startsWith('@@') ? colors.cyan : String
}

function signColor(change: Exclude<Change, 'none'>, colors: Colors): (text: string) => string {
  if (change === 'add') return colors.green
  if (change === 'remove') return colors.red
  return change === 'repair' ? colors.magenta : colors.yellow
}
