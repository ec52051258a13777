import { describe, expect, test } from 'vitest'
import { historyText } from '../../../src/cli/history-table.ts'
import { plainColors } from '../../../src/cli/screen.ts'
import type { HistoryEntry } from '../../../src/engine/session/history.ts'

const entries: readonly HistoryEntry[] = [
  entry({ facility: 'maintenance', verb: 'install', reason: 'new' }),
  entry({ verb: 'write-file', reason: 'file-changed', trigger: 'reeve apply' }),
  entry({ verb: 'start', reason: 'failed', result: 'failed', error: 'exited with 1\nat once' }),
]

describe('history table', () => {
  test('a pipe gets every column in full', () => {
    expect(table(undefined)).toMatchInlineSnapshot(`
      "TIME                  FACILITY     SUPERVISOR  STEP        RESULT  TOOK   BY           WHY
      2026-11-22T20:06:53Z  maintenance  process     install     done    28 ms  -            not on this host yet
      2026-11-22T20:06:53Z  web          process     write-file  done    28 ms  reeve apply  the file changed in the manifest
      2026-11-22T20:06:53Z  web          process     start       failed  28 ms  -            exited with 1 at once (it has failed and should run)
      "
    `)
  })

  test('80 columns drop supervisor, duration and author, and cut the reason', () => {
    expect(table(80)).toMatchInlineSnapshot(`
      "TIME                  FACILITY     STEP        RESULT  WHY
      2026-11-22T20:06:53Z  maintenance  install     done    not on this host yet
      2026-11-22T20:06:53Z  web          write-file  done    the file changed in the …
      2026-11-22T20:06:53Z  web          start       failed  exited with 1 at once (i…
      "
    `)
  })

  test('40 columns also drop the result and shorten the time', () => {
    expect(table(40)).toMatchInlineSnapshot(`
      "TIME         FACILITY     STEP        W…
      11-22 20:06  maintenance  install     n…
      11-22 20:06  web          write-file  t…
      11-22 20:06  web          start       e…
      "
    `)
  })

  test.each([100, 80, 70, 60, 50, 40])(
    'no line is longer than %i columns, and every line has time, facility and step',
    width => {
      const lines = table(width).trimEnd().split('\n')
      expect(Math.max(...lines.map(line => line.length))).toBeLessThanOrEqual(width)
      expect(lines[0]).toMatch(/^TIME +FACILITY .*STEP/)
      expect(lines[2]).toMatch(/11-22.20:06.* web .*write-file/)
    },
  )
})

function table(width: number | undefined): string {
  return historyText(entries, { colors: plainColors, width: () => width })
}

function entry(fields: Partial<HistoryEntry>): HistoryEntry {
  return {
    time: '2026-11-22T20:06:53.123Z',
    facility: 'web',
    supervisor: 'process',
    service: 'web',
    verb: 'start',
    reason: 'stopped',
    result: 'done',
    duration: 28,
    step: 'web/start',
    ...fields,
  }
}
