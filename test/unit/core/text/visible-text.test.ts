import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createScreen } from '../../../../src/cli/screen.ts'
import { createMark, createStyledText } from '../../../../src/cli/styled-text.ts'
import { visibleLine, visibleText, visibleWord } from '../../../../src/core/text/visible-text.ts'

/** Characters that no text may bring to a terminal, except line ends and tabs. */
const steering =
  /(?![\n\t])[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\u{e0000}-\u{e0fff}]/u

test.each([
  ['a clear screen', '\u001b[2J', '\\u001b[2J'],
  ['a window title', '\u001b]0;x\u0007', '\\u001b]0;x\\u0007'],
  ['C1', '\u009b2J\u0085\u0090', '\\u009b2J\\u0085\\u0090'],
  ['DEL, backspace and carriage return', '\u007f\b\r', '\\u007f\\u0008\\u000d'],
  ['bidi overrides', 'a\u202eb\u2066c\u200f\u061c', 'a\\u202eb\\u2066c\\u200f\\u061c'],
  ['separators', 'a\u2028b\u2029', 'a\\u2028b\\u2029'],
  [
    'invisible characters',
    'a\u200bb\u2060c\ufeffd\u00ad\u034f\u115f\u3164\u2800',
    'a\\u200bb\\u2060c\\ufeffd\\u00ad\\u034f\\u115f\\u3164\\u2800',
  ],
  ['tags', 'a\u{e0001}\u{e0041}', 'a\\udb40\\udc01\\udb40\\udc41'],
  ['private use, noncharacters, lone surrogates', '\ue000\ufdd0\uffff\ud800', '\\ue000\\ufdd0\\uffff\\ud800'],
  ['joiners in Latin text', 'con\u200dfig\u200c\ufe0f', 'con\\u200dfig\\u200c\\ufe0f'],
  ['two joiners', 'می\u200c\u200cx', 'می\u200c\\u200cx'],
  ['joiners in Persian and Hindi', 'می\u200cخواهم क्\u200dष', 'می\u200cخواهم क्\u200dष'],
  ['emoji', '👩\u200d💻 ❤\ufe0f\u200d🔥', '👩\u200d💻 ❤\ufe0f\u200d🔥'],
  ['letters of all kinds', 'größe Ünïcödé e\u0301 日本語 Ελλάδα עברית', 'größe Ünïcödé e\u0301 日本語 Ελλάδα עברית'],
  ['a tower of marks', `e${'\u0301'.repeat(8)}x`, `e${'\u0301'.repeat(6)}\\u0301\\u0301x`],
  ['line ends and tabs', 'a\n\tb', 'a\n\tb'],
])('S10: %s', (_, text, expected) => {
  expect(visibleText(text)).toBe(expected)
})

test('S10: one-line and single-word text is escaped', () => {
  expect(visibleLine('  first\n   second\r\nthird\t3\n')).toBe('first second third 3')
  expect(visibleWord('/etc/x\n\tNo changes.')).toBe('/etc/x\\u000a\\u0009No changes.')
})

const anyText = fc.string({ unit: 'binary', maxLength: 60 })

describe('S10: any text', () => {
  test('steers no terminal once escaped, and escaping it again changes nothing', () => {
    fc.assert(
      fc.property(anyText, text => {
        const visible = visibleText(text)
        expect(visible).not.toMatch(steering)
        expect(visibleText(visible)).toBe(visible)
        expect(visibleLine(text)).not.toMatch(/[\n\t]/)
        expect(visibleWord(text)).not.toMatch(/[\n\t]/)
      }),
      { numRuns: 2_000 },
    )
  })

  test('keeps only our own colours and control sequences, also around it', () => {
    const sequences = fc.constantFrom('\u001b[31m', '\0', '\0abc\0', '\u001b[0J', '\u009b')
    const hostile = fc.array(fc.oneof(anyText, sequences), { maxLength: 8 }).map(parts => parts.join(''))
    fc.assert(
      fc.property(hostile, hostile, (one, two) => {
        let written = ''
        const stream = { isTTY: true, write: (text: string) => (written += text) }
        const { colors, control, write } = createScreen(stream, { color: true, env: {} })
        write(`${colors.red(`${one}${colors.bold(two)}`)}${control('\u001b[2A')}`)
        // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
        const own = /\u001b\[(31|39|1|22)m|\u001b\[2A/g
        expect(written.match(own)?.length).toBe(5)
        expect(written.replace(own, '')).not.toMatch(steering)
      }),
      { numRuns: 500 },
    )
  })
})

test('S10: marks of one command line have no meaning in another', () => {
  const mine = createStyledText(true, createMark())
  const theirs = createStyledText(true, createMark())
  expect(mine.render(mine.colors.red('x'))).toBe('\u001b[31mx\u001b[39m')
  expect(mine.render(theirs.colors.red('x'))).not.toContain('\u001b')
})

test('a style resumes after a nested one, and is dropped where no colour is wanted', () => {
  const mark = createMark()
  const { colors, render } = createStyledText(true, mark)
  const text = colors.red(`a ${colors.green('b')} c`)
  expect(render(text)).toBe('\u001b[31ma \u001b[32mb\u001b[39m\u001b[31m c\u001b[39m')
  expect(createStyledText(false, mark).render(text)).toBe('a b c')
})
