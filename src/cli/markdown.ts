import { visibleLine, visibleText } from '../core/text/visible-text.ts'

/**
 * Markdown for comments of a forge, made of text from outside. Such text stands only in `<code>` of an HTML block, and in code blocks:
 * there it is no HTML, no mention, no reference and no command to the forge.
 */

/** A name or message inside a line of HTML. */
export function codeHtml(text: string): string {
  return `<code>${escapeHtml(visibleLine(text))}</code>`
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}

/** A code block that no line of the text ends. No line begins with a slash: some forges look for commands before they read Markdown. */
export function codeBlock(text: string, language = ''): string {
  const content = visibleText(text.replace(/\n$/, '')).replace(/^\//gm, ' /')
  const longest = Math.max(0, ...[...content.matchAll(/`+/g)].map(([run]) => run.length))
  const fence = '`'.repeat(Math.max(3, longest + 1))
  return `${fence}${language}\n${content}\n${fence}\n`
}

/** `summary` is HTML of one line; `body` Markdown. */
export function detailsBlock(summary: string, body: string): string {
  return `<details><summary>${summary}</summary>\n\n${body}\n</details>\n\n`
}

/** A block of which less may be shown. */
export interface Fitting {
  readonly full: string
  /** At most as long. */
  readonly short: string
}

/**
 * As much of the blocks as there is room for, in their order, in UTF-16 units: first all of them in short, then the shortest in full.
 * `describeRest` tells how many are left out.
 */
export function fitBlocks(blocks: readonly Fitting[], room: number, describeRest: (left: number) => string): string {
  const least = blocks.reduce((sum, { short }) => sum + short.length, 0)
  if (least > room) return cutBlocks(blocks, room, describeRest)
  let left = room - least
  const inFull = new Set<Fitting>()
  for (const block of [...blocks].sort((one, other) => one.full.length - other.full.length)) {
    const more = block.full.length - block.short.length
    if (more > left) continue
    left -= more
    inFull.add(block)
  }
  return blocks.map(block => (inFull.has(block) ? block.full : block.short)).join('')
}

function cutBlocks(blocks: readonly Fitting[], room: number, describeRest: (left: number) => string): string {
  const rest = (shown: number): string => describeRest(blocks.length - shown)
  let text = ''
  let shown = 0
  for (const { short } of blocks) {
    if (text.length + short.length + rest(shown + 1).length > room) break
    text += short
    shown += 1
  }
  return text + rest(shown)
}
