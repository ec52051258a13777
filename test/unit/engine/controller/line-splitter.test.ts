import { expect, test } from 'vitest'
import { createLineSplitter, longestLine } from '../../../../src/engine/controller/line-splitter.ts'

const bytes = (text: string): Uint8Array => Buffer.from(text)
const text = (content: Uint8Array): string => Buffer.from(content).toString()

test('only whole lines come out, each after the name; what waits comes out at the end', () => {
  const lines = createLineSplitter('web | ')
  expect(text(lines.push(bytes('one\ntw')))).toBe('web | one\n')
  expect(lines.pending()).toBe(2)
  expect(text(lines.push(bytes('o\n\nthree')))).toBe('web | two\nweb | \n')
  expect(text(lines.end())).toBe('web | three\n')
  expect(text(lines.end())).toBe('')
})

test('a line without an end is cut, and never kept for longer', () => {
  const lines = createLineSplitter('a | ')
  const out = text(lines.push(bytes('x'.repeat(longestLine * 2 + 3))))
  expect(out).toBe(`a | ${'x'.repeat(longestLine)}\n`.repeat(2))
  expect(lines.pending()).toBe(3)
  expect(text(lines.push(bytes('\n')))).toBe('a | xxx\n')
})

test('characters of several bytes come out as they are, wherever they are cut', () => {
  const lines = createLineSplitter('a | ')
  const whole = bytes('ä€😀\n')
  const out = [...whole].map(byte => Buffer.from(lines.push(Uint8Array.of(byte))))
  expect(Buffer.concat(out).toString()).toBe('a | ä€😀\n')
})
