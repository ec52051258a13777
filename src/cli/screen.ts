import { visibleLine } from '../core/text/visible-text.ts'
import type { OutputStream } from './command-io.ts'
import { type Colors, createMark, createStyledText, markedText } from './styled-text.ts'

export { count } from '../core/text/count-text.ts'

export type { Colors } from './styled-text.ts'
export { plainColors } from './styled-text.ts'

/** One of the two output streams, and how to write on it. */
export interface Screen {
  readonly colors: Colors
  /** True where text can be redrawn in place. */
  readonly live: boolean
  /** In columns; undefined for pipes and files, which get everything in full. */
  width(): number | undefined
  height(): number | undefined
  /** For people: all but line ends, tabs and what `colors` and `control` have made is escaped (S10). */
  write(text: string): void
  /** For programs (JSON, scripts): as it is. */
  writeExact(text: string): void
  /** A control sequence, to be put into text that is written. */
  control(sequence: string): string
}

export interface ColorWish {
  /** False after `--no-color`. */
  readonly color: boolean
  readonly env: Readonly<Record<string, string | undefined>>
}

/** `mark`: the same for the two screens of a command line; see `createStyledText`. */
export function createScreen(stream: OutputStream, wish: ColorWish, mark: string = createMark()): Screen {
  const terminal = stream.isTTY === true
  const { colors, control, render } = createStyledText(wantsColor(stream, wish), mark)
  return {
    colors,
    control,
    live: terminal && wish.env.TERM !== 'dumb',
    // A pseudo-terminal whose size was never set says 0.
    width: () => (terminal ? stream.columns || 80 : undefined),
    height: () => (terminal ? stream.rows || 24 : undefined),
    write: text => {
      stream.write(render(text))
    },
    writeExact: text => {
      stream.write(text)
    },
  }
}

/** `--no-color`, then NO_COLOR, then FORCE_COLOR, then whether it is a terminal that can. */
export function wantsColor(stream: { readonly isTTY?: boolean }, wish: ColorWish): boolean {
  if (!wish.color || wish.env.NO_COLOR) return false
  const forced = wish.env.FORCE_COLOR
  if (forced !== undefined) return forced !== '0' && forced !== 'false'
  return stream.isTTY === true && wish.env.TERM !== 'dumb'
}

/** Text as people see it, on one line: for measuring and cutting. Writing escapes anyway. */
export function oneLine(text: string): string {
  return visibleLine(text)
}

/** Cuts to `width` columns, ending in `…`. */
export function truncate(text: string, width: number): string {
  if (text.length <= width) return text
  return width < 1 ? '' : `${text.slice(0, width - 1)}…`
}

/** Colours take no room. */
function columnsOf(word: string): number {
  return word.replace(markedText, '').length
}

/** Breaks at spaces to lines of at most `width` columns, each indented by `indent`. */
export function wrap(text: string, width: number, indent: number): string[] {
  const room = Math.max(20, width - indent)
  const lines: string[] = []
  let line = ''
  for (const word of text.split(/\s+/)) {
    if (line !== '' && columnsOf(line) + 1 + columnsOf(word) > room) {
      lines.push(line)
      line = ''
    }
    line = line === '' ? word : `${line} ${word}`
  }
  if (line !== '') lines.push(line)
  return lines.map(part => ' '.repeat(indent) + part)
}

/** `Note: …`, wrapped to the screen's width, each line ended. */
export function remarkText(label: string, text: string, { colors, width }: Pick<Screen, 'colors' | 'width'>): string {
  const [first = '', ...rest] = wrap(`${label} ${oneLine(text)}`, width() ?? Number.POSITIVE_INFINITY, 2)
  const start = first.trimStart()
  const painted = start.startsWith(label) ? colors.yellow(label) + start.slice(label.length) : start
  return [painted, ...rest].map(line => `${line}\n`).join('')
}
