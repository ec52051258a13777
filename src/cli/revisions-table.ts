import type { RevisionReport } from '../core/contracts/source-status.ts'
import { ageText, durationText } from './duration-text.ts'
import { fieldText } from './field-text.ts'
import { count, oneLine, remarkText, type Screen } from './screen.ts'
import { outcomeWords, styleOutcome } from './source-text.ts'
import { type Column, tableText } from './table.ts'

/** `reeve revisions`: a line for each, the newest first. `now` in ms since 1970. */
export function revisionsText(
  revisions: readonly RevisionReport[],
  screen: Pick<Screen, 'colors' | 'width'>,
  now: number,
): string {
  if (revisions.length === 0) return 'No revision has been tried on this host yet.\n'
  return tableText(revisions, columns(screen, now), screen)
}

function columns({ colors }: Pick<Screen, 'colors'>, now: number): readonly Column<RevisionReport>[] {
  return [
    { title: '', value: ({ isInForce }) => (isInForce ? '*' : ' ') },
    { title: 'COMMIT', value: ({ commit }) => commit.slice(0, 12) },
    {
      title: 'OUTCOME',
      value: ({ outcome }) => outcomeWords[outcome],
      style: (text, { outcome }) => styleOutcome(text, outcome, colors),
    },
    { title: 'AGE', value: ({ began }) => ageText(now - Date.parse(began)) },
    { title: 'TOOK', value: took, drop: 2 },
    { title: 'CHANGED', value: ({ changedCount }) => String(changedCount), drop: 3 },
    { title: 'STEPS', value: ({ steps }) => String(steps), drop: 1 },
    {
      title: 'SUBJECT',
      value: ({ subject, message }) => (message === undefined ? subject : `${subject} (${message})`),
      flexible: true,
    },
  ]
}

function took({ began, ended }: RevisionReport): string {
  return ended === null ? '-' : durationText(Math.max(0, Date.parse(ended) - Date.parse(began)))
}

/** `reeve revisions REV`: all that is known of it. */
export function revisionText(revision: RevisionReport, screen: Pick<Screen, 'colors' | 'width'>): string {
  const { commit, subject, author, signer, reference, committedAt, outcome, message, plan } = revision
  const { began, ended, steps, isInForce, changed, changedCount } = revision
  const { colors } = screen
  const more = changedCount > changed.length ? `, and ${changedCount - changed.length} more` : ''
  const word = styleOutcome(outcomeWords[outcome], outcome, colors)
  const planned =
    plan && `${plan.add} to add, ${plan.change} to change, ${plan.repair} to repair, ${plan.remove} to remove`
  const lines: readonly (readonly [string, string | undefined])[] = [
    ['Commit', commit],
    ['Subject', oneLine(subject)],
    ['Author', `${oneLine(author)}, ${committedAt}`],
    ['Signer', signer === undefined ? undefined : oneLine(signer)],
    ['Reference', oneLine(reference)],
    ['Outcome', `${word}${isInForce ? ', in force' : ''}`],
    ['Began', began],
    ['Ended', ended === null ? undefined : `${ended}, after ${took(revision)}`],
    ['Plan', planned],
    ['Steps', count(steps, 'step')],
    ['Changed', changedCount === 0 ? 'no facility' : `${changed.map(oneLine).join(', ')}${more}`],
  ]
  const text = lines.map(([name, value]) => (value === undefined ? '' : fieldText([name, value], 11, screen)))
  return text.join('') + (message === undefined ? '' : remarkText('!', message, screen))
}
