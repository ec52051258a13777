import type { Change, FacilityPlan, Plan, PlanSummary, Step } from '../core/step.ts'
import type { SuspendedFacility } from '../engine/outlook.ts'
import { groupBy, namesText } from './grouping.ts'
import { reasonText, stepText } from './reason-text.ts'
import { type Colors, count, oneLine, printable, type Screen, wrap } from './screen.ts'

const signs: Readonly<Record<Exclude<Change, 'none'>, string>> = { add: '+', change: '~', repair: '!', remove: '-' }
/** Longer steps (with a path) don't push the reasons of the others to the right. */
const STEP_WIDTH = 24

/**
 * The plan for people, each line ended: blocked facilities, one block per facility that changes, those that are left
 * alone, the sum. Of what is new there is nothing to compare; with `inFull` it is shown all the same.
 */
export function planText(
  plan: Plan,
  { colors, width }: Pick<Screen, 'colors' | 'width'>,
  {
    inFull = false,
    suspended = [],
  }: { readonly inFull?: boolean; readonly suspended?: readonly SuspendedFacility[] } = {},
): string {
  const blocked = plan.facilities.filter(facility => facility.blocked !== undefined)
  const changing = plan.facilities.filter(facility => facility.change !== 'none' && facility.blocked === undefined)
  const blocks: string[] = []
  if (blocked.length > 0) blocks.push(blockedText(blocked, colors, width()))
  for (const facility of changing) blocks.push(facilityText(facility, { colors, width }, inFull))
  if (suspended.length > 0) blocks.push(`${colors.yellow(suspendedText(suspended))}\n`)
  blocks.push(`${colors.bold(summaryText(plan.summary, suspended.length))}\n`)
  return blocks.join('\n')
}

/** `1 facility is suspended: web (stopped; declared running)`. */
export function suspendedText(facilities: readonly SuspendedFacility[]): string {
  const each = facilities.map(({ facility, state, declared }) => {
    const isOtherwise = declared !== 'unmanaged' && declared !== state
    return `${facility} (${state}${isOtherwise ? `; declared ${declared}` : ''})`
  })
  return `${count(facilities.length, 'facility is', 'facilities are')} suspended: ${each.join(', ')}`
}

/** `Plan: 1 to add, …` or `No changes. …`. Of those that are suspended nobody says that they are as declared. */
export function summaryText(summary: PlanSummary, suspended = 0): string {
  const { add, change, repair, remove, unchanged } = summary
  if (hasChanges(summary)) {
    return `Plan: ${add} to add, ${change} to change, ${repair} to repair, ${remove} to remove, ${unchanged} unchanged.`
  }
  return `No changes. ${count(unchanged - suspended, 'facility is', 'facilities are')} as declared.`
}

/** The one word on whether a plan does something: text, JSON readers and `--detailed-exitcode` must not disagree. */
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

function facilityText(facility: FacilityPlan, screen: Pick<Screen, 'colors' | 'width'>, inFull: boolean): string {
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
    // What is taken over is lost, and has to be seen.
    if (inFull || change !== 'add' || step.reason === 'adopted') lines.push(...diffLines(step, colors))
  }
  return lines.map(line => `${line}\n`).join('')
}

/** A reason that doesn't fit beside its step stands below it. */
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
  return lines.map(line => `      ${diffColor(line, colors)(printable(line))}`)
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
