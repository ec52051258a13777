import { oneLine, type Screen, truncate, wrap } from './screen.ts'

export interface Column<Row> {
  readonly title: string
  value(row: Row): string
  /** A shorter text, if the terminal is still too narrow after all droppable columns went. */
  short?(row: Row): string
  /** Colours the text without changing its width. */
  style?(text: string, row: Row): string
  /** Order in which columns go on a narrow terminal, lowest first. Absent: the column stays. */
  readonly drop?: number
  /** For the last column: cut to the rest of the line on a terminal. */
  readonly flexible?: boolean
  /** Width of a flexible column before others are dropped, if its text needs it. Default: 24. */
  readonly atLeast?: number
  /** A flexible column wraps instead of being cut, as its text stands nowhere else. */
  readonly wraps?: boolean
}

const GAP = '  '
/** Default of `atLeast`. */
const FLEXIBLE_WIDTH = 24

/** A table with a title line, each line ended. It fits a terminal's width; elsewhere nothing is left out or cut. */
export function tableText<Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  screen: Pick<Screen, 'colors' | 'width'>,
): string {
  const width = screen.width()
  const measured = columns.map(column => measure(column, rows, row => column.value(row)))
  const shown = width === undefined ? measured : shorten(dropColumns(measured, width), rows, width)
  let used = 0
  const fitted = shown.map(({ column, texts, width: full }) => {
    const room = column.flexible && width !== undefined ? Math.min(full, Math.max(0, width - used)) : full
    const at = used
    used += full + GAP.length
    return { column, texts, room, at }
  })
  const lines: string[] = []
  lines.push(screen.colors.dim(line(fitted.map(({ column, room }) => truncate(column.title, room).padEnd(room)))))
  for (const [index, row] of rows.entries()) {
    const last: string[] = []
    const cells = fitted.map(({ column, texts, room, at }) => {
      const whole = texts[index] ?? ''
      const [wrapped = '', ...below] = column.wraps && whole.length > room ? wrap(whole, room, 0) : [whole]
      last.push(...below.map(text => ' '.repeat(at) + text))
      const text = column.wraps ? wrapped : truncate(wrapped, room)
      const styled = column.style?.(text, row) ?? text
      return styled + ' '.repeat(Math.max(0, room - text.length))
    })
    lines.push(line(cells), ...last)
  }
  return lines.map(text => `${text}\n`).join('')
}

function line(cells: readonly string[]): string {
  return cells.join(GAP).trimEnd()
}

interface Measured<Row> {
  readonly column: Column<Row>
  readonly texts: readonly string[]
  readonly width: number
}

function measure<Row>(column: Column<Row>, rows: readonly Row[], value: (row: Row) => string): Measured<Row> {
  const texts = rows.map(row => oneLine(value(row)))
  return { column, texts, width: Math.max(column.title.length, ...texts.map(text => text.length)) }
}

function neededWidth<Row>(columns: readonly Measured<Row>[]): number {
  return columns.reduce((sum, { column, width: full }) => {
    return sum + (column.flexible ? Math.min(full, column.atLeast ?? FLEXIBLE_WIDTH) : full) + GAP.length
  }, -GAP.length)
}

function shorten<Row>(
  columns: readonly Measured<Row>[],
  rows: readonly Row[],
  width: number,
): readonly Measured<Row>[] {
  if (neededWidth(columns) <= width) return columns
  return columns.map(measured => {
    const { column } = measured
    return column.short === undefined ? measured : measure(column, rows, row => column.short?.(row) ?? '')
  })
}

function dropColumns<Row>(columns: readonly Measured<Row>[], width: number): readonly Measured<Row>[] {
  if (neededWidth(columns) <= width) return columns
  const droppable = columns.filter(({ column }) => column.drop !== undefined)
  if (droppable.length === 0) return columns
  const first = Math.min(...droppable.map(({ column }) => column.drop ?? 0))
  return dropColumns(
    columns.filter(({ column }) => column.drop !== first),
    width,
  )
}
