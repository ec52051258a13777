/**
 * Text from manifests, processes and files must not steer the reader's terminal, nor look like another text (S10). What has
 * no glyph of its own becomes visible as `\u202e`, so that it can be put into JSON as it is:
 *
 * - control characters (C0, DEL, C1), format characters (all bidi controls, tags, U+FEFF), line and paragraph separators,
 * - private use, noncharacters and lone surrogates, which each terminal shows otherwise,
 * - letters, spaces and selectors that are drawn as nothing (Hangul fillers, the blank of Braille, U+034F),
 * - more marks on one letter than any script has: they are drawn over the lines around.
 */
const invisible =
  /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\p{Noncharacter_Code_Point}\u2800]/gu

/**
 * Joiners and emoji selectors are part of how Persian, Hindi and emoji are written. They stay right after a letter or sign
 * beyond ASCII and Latin; in `con\u200dfig` they only deceive.
 */
const joiners: ReadonlySet<string> = new Set(['\u200c', '\u200d', '\ufe0e', '\ufe0f'])
const takesJoiners =
  /[^\P{L}\p{Script=Latin}]|[^\P{M}\p{Default_Ignorable_Code_Point}]|\p{Extended_Pictographic}|\p{Emoji_Modifier}/u

/** On lines of its own: line ends and tabs stay. */
export function visibleText(text: string): string {
  return escapeText(text, '\n\t')
}

/** On one line: line ends and tabs become spaces, those around it go. */
export function visibleLine(text: string): string {
  return escapeText(
    text
      .trim()
      .replace(/\s*[\r\n]+\s*/g, ' ')
      .replaceAll('\t', ' '),
    '',
  )
}

/** All of it, also line ends: for a name or a value that is shown inside a line. */
export function visibleWord(text: string): string {
  return escapeText(text, '')
}

function escapeText(text: string, kept: string): string {
  const sober = text.replace(/(\p{M}{6})(\p{M}+)/gu, (_all, few: string, more: string) => few + escapeUnits(more))
  return sober.replace(invisible, (character: string, at: number) => {
    if (kept.includes(character)) return character
    if (joiners.has(character) && isJoined(characterBefore(sober, at), character)) return character
    return escapeUnits(character)
  })
}

/** As JSON does: a character beyond 16 bits is two. */
function escapeUnits(text: string): string {
  let escaped = ''
  for (let index = 0; index < text.length; index += 1) {
    escaped += `\\u${text.charCodeAt(index).toString(16).padStart(4, '0')}`
  }
  return escaped
}

/** In `❤️‍🔥` a joiner follows a selector. Of two joiners, the second joins nothing. */
function isJoined(before: string, character: string): boolean {
  return takesJoiners.test(before) || (before === '\ufe0f' && character === '\u200d')
}

/** Code point that ends at an offset. */
function characterBefore(text: string, at: number): string {
  return [...text.slice(Math.max(0, at - 2), at)].at(-1) ?? ''
}
