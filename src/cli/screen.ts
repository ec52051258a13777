import picocolors from 'picocolors'
import type { OutputStream } from './command-io.ts'

export { count } from '../core/count-text.ts'

/** The methods of picocolors that the screens use; all of them give plain text where colour isn't wanted. */
export type Colors = ReturnType<typeof picocolors.createColors>

/** One of the two output streams, and how to write on it. */
export interface Screen {
  readonly colors: Colors
  /** True where text can be redrawn in place. */
  readonly live: boolean
  /** In columns; undefined for pipes and files, which get everything in full. */
  width(): number | undefined
  height(): number | undefined
  write(text: string): void
}

/** Colours that do nothing. */
export const plainColors: Colors = picocolors.createColors(false)

export interface ColorWish {
  /** False after `--no-color`. */
  readonly color: boolean
  readonly env: Readonly<Record<string, string | undefined>>
}

export function createScreen(stream: OutputStream, wish: ColorWish): Screen {
  const terminal = stream.isTTY === true
  return {
    colors: picocolors.createColors(wantsColor(stream, wish)),
    live: terminal && wish.env.TERM !== 'dumb',
    // A pseudo-terminal whose size was never set says 0.
    width: () => (terminal ? stream.columns || 80 : undefined),
    height: () => (terminal ? stream.rows || 24 : undefined),
    write: text => {
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

/** Makes control characters visible: file contents and service messages must not steer the reader's terminal. */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, character => {
    return `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`
  })
}

/** `printable`, on one line. */
export function oneLine(text: string): string {
  return printable(text.trim().replace(/\s*[\r\n]+\s*/g, ' '))
}

/** Cuts to `width` columns, and shows that it did. */
export function truncate(text: string, width: number): string {
  if (text.length <= width) return text
  return width < 1 ? '' : `${text.slice(0, width - 1)}…`
}

/** Breaks at spaces to lines of at most `width` columns, each indented by `indent`. */
export function wrap(text: string, width: number, indent: number): string[] {
  const room = Math.max(20, width - indent)
  const lines: string[] = []
  let line = ''
  for (const word of text.split(/\s+/)) {
    if (line !== '' && line.length + 1 + word.length > room) {
      lines.push(line)
      line = ''
    }
    line = line === '' ? word : `${line} ${word}`
  }
  if (line !== '') lines.push(line)
  return lines.map(part => ' '.repeat(indent) + part)
}
