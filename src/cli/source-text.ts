import type { SourceStatus } from '../core/contracts/source-status.ts'
import { ageText } from './duration-text.ts'
import { oneLine, remarkText, type Screen } from './screen.ts'

/** Reasons that are no problem: as far as known, the wanted revision is in force. */
const calm: ReadonlySet<string> = new Set(['UpToDate', 'NotFollowed'])

/** Head of `reeve status`: the repository, the revision in force, and what keeps another from it. `now` in ms. */
export function sourceText(
  { url, wanted, revision, condition, warning }: SourceStatus,
  screen: Pick<Screen, 'colors' | 'width'>,
  now: number,
): string {
  const { colors } = screen
  const lines = [`${colors.bold('Source')}    ${oneLine(url)}, ${oneLine(wanted)}\n`]
  if (revision) {
    const { commit, subject, author, since, signer } = revision
    const signed = signer === undefined ? '' : `, signed by ${oneLine(signer)}`
    const age = ageText(now - Date.parse(since))
    lines.push(
      `${colors.bold('Revision')}  ${commit.slice(0, 12)} ${oneLine(subject)} (${oneLine(author)}${signed}, since ${age})\n`,
    )
  }
  if (!calm.has(condition.reason)) lines.push(remarkText('!', `${condition.reason}: ${condition.message}`, screen))
  if (warning !== undefined) lines.push(remarkText('!', warning, screen))
  return lines.join('')
}
