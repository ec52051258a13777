import {
  findUntold,
  type RevisionOutcome,
  type RolloutStatus,
  type SourceStatus,
  type WaitingRevision,
} from '../core/contracts/source-status.ts'
import { ageText } from './duration-text.ts'
import { fieldText } from './field-text.ts'
import { type Colors, oneLine, remarkText, type Screen } from './screen.ts'

/** Reasons that are no problem: as far as known, the wanted revision is in force. */
const calm: ReadonlySet<string> = new Set(['UpToDate', 'NotFollowed'])

/** Outcomes in words, for people. */
export const outcomeWords: Readonly<Record<RevisionOutcome, string>> = {
  Pending: 'pending',
  Progressing: 'progressing',
  Healthy: 'healthy',
  Failed: 'failed',
  RolledBack: 'rolled back',
  RollbackFailed: 'rollback failed',
  Superseded: 'superseded',
}

/** Colours the word of an outcome. */
export function styleOutcome(text: string, outcome: RevisionOutcome, { green, red, yellow, dim }: Colors): string {
  if (outcome === 'Healthy') return green(text)
  if (outcome === 'Superseded') return dim(text)
  return outcome === 'Pending' || outcome === 'Progressing' ? yellow(text) : red(text)
}

function field(name: string, value: string, screen: Pick<Screen, 'colors' | 'width'>): string {
  return fieldText([name, value], 10, screen)
}

/** What became of the newest revision; named, where another one is in force. */
function rolloutLines(
  { commit, subject, outcome, message, since, isStalled, isPinned }: RolloutStatus,
  inForce: string | undefined,
  screen: Pick<Screen, 'colors' | 'width'>,
  now: number,
): string[] {
  const { colors } = screen
  const word = styleOutcome(isStalled ? 'stalled' : outcomeWords[outcome], outcome, colors)
  const which = commit === inForce ? '' : `${commit.slice(0, 12)} ${oneLine(subject)}: `
  const pinned = isPinned ? ', chosen with reeve rollback' : ''
  const lines = [field('Outcome', `${which}${word} since ${ageText(now - Date.parse(since))}${pinned}`, screen)]
  if (message !== undefined) lines.push(remarkText(outcome === 'Progressing' ? '-' : '!', message, screen))
  return lines
}

export function waitingRevisionText({ commit, subject, message }: WaitingRevision): string {
  return `${commit.slice(0, 12)} ${subject} waits: ${message}`
}

/** Head of `reeve status`: the repository, the revision in force, and what keeps another from it. `now` in ms. */
export function sourceText(status: SourceStatus, screen: Pick<Screen, 'colors' | 'width'>, now: number): string {
  const { url, wanted, revision, rollout, condition, warning } = status
  const lines = [field('Source', `${oneLine(url)}, ${oneLine(wanted)}`, screen)]
  if (revision) {
    const { commit, subject, author, since, signer } = revision
    const signed = signer === undefined ? '' : `, signed by ${oneLine(signer)}`
    const age = ageText(now - Date.parse(since))
    const which = `${commit.slice(0, 12)} ${oneLine(subject)}`
    lines.push(field('Revision', `${which} (${oneLine(author)}${signed}, since ${age})`, screen))
  }
  if (rollout) lines.push(...rolloutLines(rollout, revision?.commit, screen, now))
  const waiting = findUntold(status)
  if (waiting) lines.push(remarkText('!', waitingRevisionText(waiting), screen))
  if (!calm.has(condition.reason)) lines.push(remarkText('!', `${condition.reason}: ${condition.message}`, screen))
  if (warning !== undefined) lines.push(remarkText('!', warning, screen))
  return lines.join('')
}
