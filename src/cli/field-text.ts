import { type Screen, wrap } from './screen.ts'

/**
 * `Outcome    healthy`: one thing that is known, under its name. On a terminal, what is too long goes on below where it began. `value`: on one
 * line, perhaps with colours.
 */
export function fieldText(
  [name, value]: readonly [name: string, value: string],
  indent: number,
  { colors, width }: Pick<Screen, 'colors' | 'width'>,
): string {
  const room = width()
  const [first = '', ...rest] = room === undefined ? [value] : wrap(value, room, indent)
  const start = room === undefined ? first : first.slice(indent)
  return [`${colors.bold(name.padEnd(indent))}${start}`, ...rest].map(line => `${line}\n`).join('')
}
