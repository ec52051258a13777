import type { SuspendedFacility } from '../core/contracts/apply-outcome.ts'
import type { FacilityPlan, Plan, Step } from '../core/plan/step.ts'
import { describeUnwritable } from '../core/state/unwritable.ts'
import { formatDiagnostics } from '../manifest/diagnostics/diagnostic-text.ts'
import { codeBlock, codeHtml, detailsBlock, type Fitting, fitBlocks } from './markdown.ts'
import { signs, summaryText, suspendedText } from './plan-text.ts'
import { reasonText, rollbackText, stepText } from './reason-text.ts'
import { count } from './screen.ts'

/** GitHub takes no longer comment. In UTF-16 units, which are never fewer than characters. */
const LONGEST_COMMENT = 65_536

export interface PlanMarkdownOptions {
  /** What was planned: the same for all plans that take each other's place in a comment. */
  readonly name: string
  readonly brief?: boolean
  readonly suspended?: readonly SuspendedFacility[]
  /** Sentences for people: which commits were planned, and what is to be known of the plan. */
  readonly notes?: readonly string[]
  readonly longest?: number
}

/**
 * The plan as a comment on a pull request. Its first line is invisible, and the same for each plan of that name: whoever posts it finds
 * the comment by it that is to be updated.
 */
export function planMarkdown(plan: Plan, options: PlanMarkdownOptions): string {
  const { brief = false, suspended = [], notes = [], longest = LONGEST_COMMENT } = options
  const name = options.name.slice(0, 200)
  const isInvalid = plan.diagnostics.some(({ severity }) => severity === 'error')
  const summary = isInvalid ? 'The manifests are not valid.' : summaryText(plan.summary, suspended.length)
  const head = `${markerOf(name)}\n<h3>Plan for ${codeHtml(name)}</h3>\n<p><b>${summary}</b></p>\n\n`
  const blocks = [
    ...notes.map(note => simple(`<p>${codeHtml(note)}</p>\n\n`)),
    ...diagnosticBlocks(plan),
    ...(isInvalid ? [] : hostBlocks(plan, suspended)),
    ...(isInvalid ? [] : plan.facilities.flatMap(facility => facilityBlock(facility, brief))),
  ]
  const rest = (left: number): string =>
    `<p>${count(left, 'part is', 'parts are')} left out: the plan is too long.</p>\n`
  return `${(head + fitBlocks(blocks, longest - head.length, rest)).trimEnd()}\n`
}

function markerOf(name: string): string {
  return `<!-- reeve plan: ${name.replace(/[^A-Za-z0-9._/ ]+/g, '-')} -->`
}

/** A block that is never shortened, and rather left out. */
function simple(text: string): Fitting {
  return { full: text, short: text }
}

function diagnosticBlocks({ diagnostics }: Plan): Fitting[] {
  return (['error', 'warning'] as const).flatMap(severity => {
    const found = diagnostics.filter(each => each.severity === severity)
    if (found.length === 0) return []
    const summary = count(found.length, severity)
    return shortened(summary, codeBlock(formatDiagnostics(found)), `The ${severity}s`)
  })
}

function hostBlocks({ troubles = [], unwritable = [] }: Plan, suspended: readonly SuspendedFacility[]): Fitting[] {
  const troubled = troubles.map(({ facility, message }) => `${facility}: ${message}`)
  const places = unwritable.map(describeUnwritable)
  return [
    ...listBlock(`${count(troubled.length, 'facility is', 'facilities are')} not as declared`, troubled, 'Their names'),
    ...listBlock('Not everything can be written down', places, 'The places'),
    ...(suspended.length > 0 ? [simple(`<p>${codeHtml(suspendedText(suspended))}</p>\n\n`)] : []),
  ]
}

function listBlock(summary: string, lines: readonly string[], subject: string): Fitting[] {
  return lines.length === 0 ? [] : shortened(summary, codeBlock(lines.map(oneLine).join('\n')), subject)
}

function facilityBlock(facility: FacilityPlan, brief: boolean): Fitting[] {
  const { name, supervisor, change, blocked, renamedFrom, steps } = facility
  if (change === 'none' && blocked === undefined) return []
  const sign = change === 'none' ? 'blocked:' : signs[change]
  const was = renamedFrom === undefined ? '' : ` (was ${codeHtml(renamedFrom)})`
  const what = steps.length === 0 ? '' : `: ${steps.map(({ verb }) => verb).join(', ')}`
  const summary = `${sign} ${codeHtml(name)}${was} (${codeHtml(supervisor)})${what}`
  const full = detailsBlock(summary, codeBlock(facilityLines(facility, !brief).join('\n'), 'diff'))
  const cut = [...facilityLines(facility, false), 'The contents are left out: the plan is too long.']
  const short = detailsBlock(summary, codeBlock(cut.join('\n'), 'diff'))
  return short.length < full.length ? [{ full, short }] : [simple(full)]
}

function facilityLines({ blocked, steps, rollback, kept = [], unkept = [] }: FacilityPlan, isFull: boolean): string[] {
  return [
    ...(blocked === undefined ? [] : [`blocked: ${oneLine(blocked)}`]),
    ...steps.flatMap(step => [line(stepText(step), reasonText(step)), ...(isFull ? diffLines(step) : [])]),
    ...(rollback ? [line(rollbackText(rollback), 'if the move fails')] : []),
    ...kept.map(({ path, why }) => line(`keep ${path}`, why)),
    ...unkept.map(({ path, why }) => line(`keep no copy of ${path}`, why)),
  ]
}

function line(step: string, why: string): string {
  return oneLine(`${step}: ${why}`)
}

function oneLine(text: string): string {
  return text.replace(/\s*[\r\n]+\s*/g, ' ')
}

function diffLines({ diff }: Step): string[] {
  return diff === undefined || diff === '' ? [] : diff.replace(/\n$/, '').split('\n')
}

function shortened(summary: string, body: string, subject: string): Fitting[] {
  const full = detailsBlock(summary, body)
  const short = `<p>${summary}. ${subject} are left out: the plan is too long.</p>\n\n`
  return [short.length < full.length ? { full, short } : simple(full)]
}
