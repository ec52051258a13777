import { describe, expect, test } from 'vitest'
import {
  findNewestMark,
  formatMark,
  isSameButMark,
  parseMark,
  type RevisionMark,
} from '../../../../src/core/state/revision-mark.ts'

const mark: RevisionMark = { count: 7, commit: 'a'.repeat(40), tree: 'b'.repeat(40), source: 'c'.repeat(16) }
const text = formatMark(mark)
const newer = formatMark({ ...mark, count: 12, commit: 'd'.repeat(64), tree: 'e'.repeat(64) })

test('a mark is read as it was written', () => {
  expect(parseMark(text)).toEqual(mark)
})

test.each([
  ['', 'nothing'],
  [text.toUpperCase(), 'capitals'],
  [`${text} `, 'more'],
  [text.replace(':7:', ':0:'), 'no count'],
  [text.replace('aaaa', 'aaa'), 'half an id'],
])('%j is no mark: %s', found => {
  expect(parseMark(found)).toBeUndefined()
})

test('the newest is the one with the highest count, of this source only', () => {
  const other = formatMark({ ...mark, count: 99, source: '0'.repeat(16) })
  expect(findNewestMark(['rubbish', newer, text, other], mark.source)).toMatchObject({ count: 12 })
  expect(findNewestMark([other], mark.source)).toBeUndefined()
})

describe('a text is the same but for its mark', () => {
  const wanted = `{"revision":"${newer}","a":1}`
  test.each<[title: string, found: string, isSame: boolean]>([
    ['with the same', wanted, true],
    ['with another', wanted.replace(newer, text), true],
    ['without one', wanted.replace(newer, ''), false],
    ['with another, and something else that differs', wanted.replace(newer, text).replace('1', '2'), false],
    ['with another, and more at the end', `${wanted.replace(newer, text)}\n`, false],
    ['with half of one', wanted.replace(newer, text.slice(0, -1)), false],
  ])('%s', (_title, found, isSame) => {
    expect(isSameButMark(found, wanted, newer)).toBe(isSame)
  })

  test('only where the wanted text has it', () => {
    expect(isSameButMark(`${text} ${text}`, `${newer} ${text}`, newer)).toBe(true)
    expect(isSameButMark(`${text} ${newer}`, `${newer} ${text}`, newer)).toBe(false)
    expect(isSameButMark(text, 'no mark', newer)).toBe(false)
  })
})
