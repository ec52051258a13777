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

const takenBack = { ...mark, inForce: 'e'.repeat(40) }
const underWay = { ...mark, healthy: 'f'.repeat(40) }

test.each([mark, takenBack, underWay])('a mark is read as it was written: %j', written => {
  expect(parseMark(formatMark(written))).toEqual(written)
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

test('of the same revision, the mark that says that it was taken back is the newest', () => {
  for (const order of [
    [takenBack, underWay, mark],
    [mark, underWay, takenBack],
  ])
    expect(findNewestMark(order.map(formatMark), mark.source)).toEqual(takenBack)
})

describe('a text is the same but for its mark', () => {
  const wanted = `{"revision":"${newer}","a":1}`
  test.each<[title: string, found: string, isSame: boolean]>([
    ['with the same', wanted, true],
    ['with another', wanted.replace(newer, text), true],
    ['with one that says more', wanted.replace(newer, formatMark(underWay)), true],
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
