import { expect, test } from 'vitest'
import { createLineSplitter, longestLine } from '../../../../src/engine/controller/line-splitter.ts'

const bytes = (text: string): Uint8Array => Buffer.from(text)
const text = (content: Uint8Array): string => Buffer.from(content).toString()

test('complete lines are passed on, each with its name; the rest follows at the end', () => {
  const lines = createLineSplitter('web | ')
  expect(text(lines.push(bytes('one\ntw')))).toBe('web | one\n')
  expect(lines.pending()).toBe(2)
  expect(text(lines.push(bytes('o\n\nthree')))).toBe('web | two\nweb | \n')
  expect(text(lines.end())).toBe('web | three\n')
  expect(text(lines.end())).toBe('')
})

test('an endless line is cut, and never buffered beyond the limit', () => {
  const lines = createLineSplitter('a | ')
  const out = text(lines.push(bytes('x'.repeat(longestLine * 2 + 3))))
  expect(out).toBe(`a | ${'x'.repeat(longestLine)}\n`.repeat(2))
  expect(lines.pending()).toBe(3)
  expect(text(lines.push(bytes('\n')))).toBe('a | xxx\n')
})

test('characters of several bytes stay intact wherever the chunks are cut', () => {
  const lines = createLineSplitter('a | ')
  const whole = bytes('ä€😀\n')
  const out = [...whole].map(byte => Buffer.from(lines.push(Uint8Array.of(byte))))
  expect(Buffer.concat(out).toString()).toBe('a | ä€😀\n')
})
