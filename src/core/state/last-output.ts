import { redactLines } from '../text/secret-redaction.ts'

/** Number of last output lines shown for a service that doesn't stay up. */
export const LAST_LINES = 8

/** Longest line in characters; longer ones are cut. */
const LONGEST_LINE = 500

/** The last lines of a text, without what looks like a secret (S4). `isCut`: its first line lacks its beginning. */
export function lastLinesOf(text: string, { isCut = false }: { readonly isCut?: boolean } = {}): string[] {
  const lines = text.split('\n').map(line => line.replace(/\r$/, ''))
  const whole = isCut && lines.length > 1 ? lines.slice(1) : lines
  // Secrets are taken out before lines are cut, as a name further up marks those that follow.
  return redactLines(whole)
    .filter(line => line.trim() !== '')
    .slice(-LAST_LINES)
    .map(line => (line.length > LONGEST_LINE ? `${line.slice(0, LONGEST_LINE)}…` : line))
}

/** Continues a message, a line each; empty if there are none. `what`: `its journal`. */
export function describeLastLines(what: string, lines: readonly string[]): string {
  return lines.length === 0 ? '' : `; ${what} ends with:\n${lines.map(line => `  ${line}`).join('\n')}`
}
