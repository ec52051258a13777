import type { HistoryEntry } from '../engine/session/history.ts'
import { durationText } from './duration-text.ts'
import { reasonText } from './reason-text.ts'
import type { Screen } from './screen.ts'
import { type Column, tableText } from './table.ts'

/** `reeve history`: a line for each step that was done, the newest last. */
export function historyText(entries: readonly HistoryEntry[], screen: Pick<Screen, 'colors' | 'width'>): string {
  return entries.length === 0 ? 'Nothing has been done yet.\n' : tableText(entries, historyColumns(screen), screen)
}

function historyColumns({ colors }: Pick<Screen, 'colors'>): readonly Column<HistoryEntry>[] {
  return [
    // In UTC, to the second, so that lines of several hosts can be compared.
    {
      title: 'TIME',
      value: entry => entry.time.replace(/\.\d+Z$/, 'Z'),
      short: entry => entry.time.slice('2026-'.length, '2026-11-22T20:06'.length).replace('T', ' '),
    },
    { title: 'FACILITY', value: entry => entry.facility },
    { title: 'SUPERVISOR', value: entry => entry.supervisor, drop: 2 },
    { title: 'STEP', value: entry => entry.verb },
    {
      title: 'RESULT',
      value: entry => entry.result,
      style: (text, entry) => (entry.result === 'done' ? colors.green(text) : colors.red(text)),
      // The message of a failure stands in the last column too.
      drop: 4,
    },
    { title: 'TOOK', value: entry => durationText(entry.duration), drop: 1 },
    { title: 'BY', value: entry => entry.trigger ?? '-', drop: 3 },
    { title: 'WHY', value: whyText, flexible: true },
  ]
}

function whyText(entry: HistoryEntry): string {
  const why = reasonText(entry)
  return entry.error === undefined ? why : `${entry.error} (${why})`
}
