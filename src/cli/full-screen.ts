import { type Screen, truncate } from './screen.ts'

/** Text redrawn in place on the terminal's alternate screen, as editors do: the earlier contents come back afterwards. */
export interface FullScreen extends Disposable {
  /** Replaces what was drawn before; `text` is cut to the terminal's height. */
  draw(text: string): void
}

/** Turns off line wrapping: the terminal cuts long lines. */
const enter = '\x1b[?1049h\x1b[?7l'
const leave = '\x1b[?7h\x1b[?1049l'
const home = '\x1b[H'

/**
 * Each line is erased before it is written, and the rest from the start of the next line: after a line that fills the terminal,
 * the cursor is still in its last column, which would be erased as well.
 */
const eraseLine = '\x1b[2K'
const eraseBelow = '\r\n\x1b[J'

/** The first drawing switches to the alternate screen; disposal switches back and leaves the last drawing there. */
export function openFullScreen(screen: Screen): FullScreen {
  let last: string | undefined
  return {
    draw(text) {
      const before = last === undefined ? enter : ''
      last = text
      const lines = fitting(text, screen).map(line => screen.control(eraseLine) + line)
      const below = lines.length < (screen.height() ?? 0) ? eraseBelow : ''
      const body = lines.join(screen.control('\r\n'))
      screen.write(screen.control(before + home) + body + screen.control(below))
    },
    [Symbol.dispose]() {
      if (last !== undefined) screen.write(screen.control(leave) + last)
    },
  }
}

function fitting(text: string, screen: Screen): string[] {
  const lines = text.trimEnd().split('\n')
  const room = Math.max(2, screen.height() ?? lines.length)
  if (lines.length <= room) return lines
  const shown = lines.slice(0, room - 1)
  const more = `… and ${lines.length - shown.length} more lines`
  return [...shown, screen.colors.dim(truncate(more, screen.width() ?? more.length))]
}
