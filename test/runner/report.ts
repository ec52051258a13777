import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { plainColors } from '../../src/cli/screen.ts'
import { tableText } from '../../src/cli/table.ts'

/** Directory of the tables that harnesses leave: `.ci/run` prints them. Each run of the suites begins with none. */
const directory = join(import.meta.dirname, '../report')

export type Cell = string | number

/** Table of what a harness has tried: counts, seeds, figures. */
export interface Report<Row extends readonly Cell[]> {
  /** Adds a row, and writes the file: intermediate results of a failing run are useful too. */
  add(...row: Row): void
  /** Path of the file. */
  readonly path: string
}

/**
 * Table in `test/report/NAME.txt`, written with its first row. Workers share no tables, so each test file uses names of its
 * own. `columns` has the titles, one for each cell of a row.
 */
export function openReport<const Titles extends readonly string[]>(
  name: string,
  title: string,
  columns: Titles,
): Report<{ readonly [Index in keyof Titles]: Cell }> {
  const rows: (readonly Cell[])[] = []
  const path = join(directory, `${name}.txt`)
  return {
    path,
    add(...row) {
      rows.push(row)
      const cells = columns.map((column, index) => ({
        title: column,
        value: (of: readonly Cell[]) => formatCell(of[index] ?? ''),
      }))
      mkdirSync(directory, { recursive: true })
      const table = tableText(rows, cells, { colors: plainColors, width: () => undefined })
      writeFileSync(path, `${title}\n\n${table}`)
    },
  }
}

function formatCell(cell: Cell): string {
  return typeof cell === 'number' ? cell.toLocaleString('en') : cell
}

/** For vitest: before the tests of a run. What a run can be repeated from stays till the next one of its kind. */
export function setup(): void {
  mkdirSync(directory, { recursive: true })
  for (const name of readdirSync(directory)) if (name.endsWith('.txt')) rmSync(join(directory, name))
}
