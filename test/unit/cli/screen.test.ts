import { describe, expect, test } from 'vitest'
import { ageText, durationText } from '../../../src/cli/duration-text.ts'
import { count, createScreen, oneLine, plainColors, remarkText, truncate, wrap } from '../../../src/cli/screen.ts'
import { type Column, tableText } from '../../../src/cli/table.ts'

describe('text for the terminal', () => {
  test('a message of several lines becomes one line', () => {
    expect(oneLine('  first\n   second\r\nthird\n')).toBe('first second third')
  })

  test.each([
    ['short', 5, 'short'],
    ['longer', 5, 'long…'],
    ['any', 0, ''],
  ])('%s cut to %i columns is %j', (text, width, expected) => {
    expect(truncate(text, width)).toBe(expected)
  })

  test('wrapping loses no word and keeps the width', () => {
    const text = 'The quick brown fox jumps over the lazy dog and a-very-long-word-that-does-not-fit'
    const lines = wrap(text, 30, 4)
    expect(lines.map(line => line.trim()).join(' ')).toBe(text)
    expect(lines.slice(0, 2).every(line => line.startsWith('    ') && line.length <= 30)).toBe(true)
  })

  test('numbers get their noun in singular or plural', () => {
    expect([count(0, 'error'), count(1, 'error'), count(2, 'facility', 'facilities')]).toEqual([
      '0 errors',
      '1 error',
      '2 facilities',
    ])
  })
})

test.each([
  [-5, '0s'],
  [999, '0s'],
  [59_999, '59s'],
  [60_000, '1m'],
  [192_000, '3m12s'],
  [7_500_000, '2h5m'],
  [86_400_000, '1d'],
  [277_200_000, '3d5h'],
])('an age of %i ms is %s', (duration, expected) => {
  expect(ageText(duration)).toBe(expected)
})

test.each([
  [0.4, '0 ms'],
  [45, '45 ms'],
  [1234, '1.2 s'],
  [125_000, '2m5s'],
])('a duration of %d ms is %s', (duration, expected) => {
  expect(durationText(duration)).toBe(expected)
})

describe('screen', () => {
  test('a pseudo-terminal without a size has 80 columns and 24 lines', () => {
    const screen = createScreen({ isTTY: true, columns: 0, rows: 0, write: () => {} }, { color: true, env: {} })
    expect([screen.width(), screen.height(), screen.live]).toEqual([80, 24, true])
  })

  test('TERM=dumb is never redrawn', () => {
    const screen = createScreen({ isTTY: true, write: () => {} }, { color: true, env: { TERM: 'dumb' } })
    expect([screen.live, screen.colors.red('x')]).toEqual([false, 'x'])
  })
})

test('a remark is one line, or as many as the width takes, its label coloured', () => {
  const colors = { ...plainColors, yellow: (text: string) => `<${text}>` }
  const remark = (width: number | undefined) =>
    remarkText('Note:', 'this goes\non over several lines', { colors, width: () => width })
  expect(remark(undefined)).toBe('<Note:> this goes on over several lines\n')
  expect(remark(26)).toBe('<Note:> this goes on over\n  several lines\n')
})

describe('table', () => {
  interface Row {
    readonly name: string
    readonly note: string
  }
  const columns: readonly Column<Row>[] = [
    { title: 'NAME', value: row => row.name },
    { title: 'SIZE', value: () => '1234567890', drop: 2 },
    { title: 'KIND', value: () => 'service', drop: 1 },
    { title: 'NOTE', value: row => row.note, style: text => `<${text}>`, flexible: true },
  ]
  const rows = [{ name: 'web', note: 'a note of some length that\ngoes on over two lines' }]
  const table = (width: number | undefined) => tableText(rows, columns, { colors: plainColors, width: () => width })

  test('without a terminal, no cell is cut and no column dropped', () => {
    expect(table(undefined)).toBe(
      'NAME  SIZE        KIND     NOTE\n' +
        'web   1234567890  service  <a note of some length that goes on over two lines>\n',
    )
  })

  test('columns are dropped in their order, the last is cut, and styles have no width', () => {
    expect(table(51)).toBe('NAME  SIZE        KIND     NOTE\nweb   1234567890  service  <a note of some length t…>\n')
    expect(table(50)).toBe('NAME  SIZE        NOTE\nweb   1234567890  <a note of some length that goes…>\n')
    expect(table(40)).toBe('NAME  NOTE\nweb   <a note of some length that goes o…>\n')
  })

  test('a cell that wraps goes on below, in its column', () => {
    const wrapping = columns.map(column => (column.flexible ? { ...column, wraps: true } : column))
    expect(tableText(rows, wrapping, { colors: plainColors, width: () => 40 })).toBe(
      'NAME  NOTE\nweb   <a note of some length that goes on>\n      over two lines\n',
    )
  })

  test('a fixed column is never dropped, however narrow the terminal', () => {
    expect(table(7)).toBe('NAME  …\nweb   <…>\n')
    expect(table(3)).toBe('NAME\nweb   <>\n')
  })
})
