import { readFileSync } from 'node:fs'
import { availableParallelism, loadavg } from 'node:os'
import { type Cell, openReport } from '../runner/report.ts'

export interface BenchReport<Row extends readonly Cell[]> {
  add(...row: Row): void
  /** Prints the table to stdout once all rows are there. */
  print(): void
}

/** Like `openReport`, with a description of the machine and its load: figures mean little without. */
export function openBenchReport<const Titles extends readonly string[]>(
  name: string,
  title: string,
  columns: Titles,
): BenchReport<{ readonly [Index in keyof Titles]: Cell }> {
  const [load = Number.NaN] = loadavg()
  const machine = `Node ${process.version}, ${availableParallelism()} cores, load ${load.toFixed(1)}`
  const report = openReport(`bench-${name}`, `${title}\n${machine}`, columns)
  return {
    add: report.add,
    print: () => console.log(`\n${readFileSync(report.path, 'utf8')}`),
  }
}
