import { randomBytes } from 'node:crypto'
import picocolors from 'picocolors'
import { visibleText } from '../core/text/visible-text.ts'

type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'magenta' | 'cyan'

/** Colours of the screens; each returns plain text without colours. */
export interface Colors extends Readonly<Record<Style, (text: string) => string>> {
  readonly isColorSupported: boolean
}

/** Colours that do nothing. */
export const plainColors: Colors = {
  isColorSupported: false,
  ...{ bold: String, dim: String, red: String, green: String, yellow: String, magenta: String, cyan: String },
}

/**
 * Reeve's own colours and control sequences among untrusted text (S10). They are put into the
 * text between marks that nobody else can make; rendering keeps what is marked and escapes everything else.
 */
export interface StyledText {
  readonly colors: Colors
  /** A control sequence, to be put into text. */
  control(sequence: string): string
  /** As the terminal gets it. */
  render(text: string): string
}

/** What colours and control sequences are in text, before it is rendered. */
export const markedText: RegExp = /\0[^\0]*\0/g

/** The mark of one command line, shared by its two screens. */
export function createMark(): string {
  return randomBytes(12).toString('hex')
}

export function createStyledText(wantsColor: boolean, mark: string = createMark()): StyledText {
  const marked = new RegExp(`\\u0000${mark}([^\\u0000]*)\\u0000`)
  const control = (sequence: string): string => `\0${mark}${sequence}\0`

  /** The colour continues after a part of the text that has its own. */
  function styleOf(style: Style): (text: string) => string {
    const [open = '', close = ''] = picocolors.createColors(true)[style]('\0').split('\0')
    return text => control(open) + text.replaceAll(control(close), control(close) + control(open)) + control(close)
  }

  const colors: Colors = wantsColor
    ? {
        isColorSupported: true,
        bold: styleOf('bold'),
        dim: styleOf('dim'),
        red: styleOf('red'),
        green: styleOf('green'),
        yellow: styleOf('yellow'),
        magenta: styleOf('magenta'),
        cyan: styleOf('cyan'),
      }
    : plainColors

  return {
    colors,
    control,
    render(text) {
      // Every second part stood between marks.
      const parts = text.split(marked)
      return parts.map((part, index) => (index % 2 === 0 ? visibleText(part) : shown(part))).join('')
    },
  }

  /** Colours made by another screen are dropped if this one has none. */
  function shown(sequence: string): string {
    return wantsColor || !sequence.endsWith('m') ? sequence : ''
  }
}
