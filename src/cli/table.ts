import { oneLine, type Screen, truncate } from './screen.ts'

export interface Column<Row> {
  readonly title: string
  value(row: Row): string
  /** Colours the text without changing its width. */
  style?(text: string, row: Row): string
  /** On a terminal that is too narrow, columns go in this order, lowest first. Absent: it stays. */
  readonly drop?: number
  /** On a terminal, cut to what is left of the line. For the last column. */
  readonly flexible?: boolean
}

const GAP = '  '
/** Below this a flexible column says too little: rather drop another column. */
const FLEXIBLE_WIDTH = 24

/** A table with a title line, each line ended. On a terminal it fits the width; elsewhere nothing is left out or cut. */
export function tableText<Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  screen: Pick<Screen, 'colors' | 'width'>,
): string {
  const width = screen.width()
  const measured = columns.map(column => {
    const texts = rows.map(row => oneLine(column.value(row)))
    return { column, texts, width: Math.max(column.title.length, ...texts.map(text => text.length)) }
  })
  const shown = width === undefined ? measured : dropColumns(measured, width)
  const lines: string[] = []
  lines.push(screen.colors.dim(line(shown.map(({ column, width }) => column.title.padEnd(width)))))
  for (const [index, row] of rows.entries()) {
    let used = 0
    const cells = shown.map(({ column, texts, width: full }) => {
      const room = column.flexible && width !== undefined ? Math.max(0, width - used) : full
      used += full + GAP.length
      const text = truncate(texts[index] ?? '', room)
      const styled = column.style?.(text, row) ?? text
      return styled + ' '.repeat(Math.max(0, Math.min(full, room) - text.length))
    })
    lines.push(line(cells))
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

function dropColumns<Row>(columns: readonly Measured<Row>[], width: number): readonly Measured<Row>[] {
  const needed = columns.reduce((sum, { column, width: full }) => {
    return sum + (column.flexible ? Math.min(full, FLEXIBLE_WIDTH) : full) + GAP.length
  }, -GAP.length)
  if (needed <= width) return columns
  const droppable = columns.filter(({ column }) => column.drop !== undefined)
  if (droppable.length === 0) return columns
  const first = Math.min(...droppable.map(({ column }) => column.drop ?? 0))
  return dropColumns(
    columns.filter(({ column }) => column.drop !== first),
    width,
  )
}
