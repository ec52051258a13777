import { appendFileSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type HistoryEntry, openHistory, readHistory } from '../../../../src/engine/session/history.ts'
import { createReadHost } from '../../../../src/host/read-host.ts'
import { createWriteHost } from '../../../../src/host/write-host.ts'

let state = ''
beforeEach(() => {
  state = mkdtempSync(join(tmpdir(), 'reeve-history-'))
})
afterEach(() => rmSync(state, { recursive: true }))

const readHost = createReadHost()

function makeEntry(facility: string, duration = 1): HistoryEntry {
  return {
    time: '2026-01-02T03:04:05.678Z',
    facility,
    supervisor: 'process',
    service: facility,
    verb: 'start',
    reason: 'stopped',
    result: 'done',
    duration,
    step: `${facility}/start`,
  }
}

test('read returns appended entries, newest last, of all or of one facility, up to a limit', () => {
  const history = openHistory(state, createWriteHost())
  const entries = [makeEntry('web', 1), makeEntry('db', 2), makeEntry('web', 3)]
  for (const entry of entries) history.append(entry)
  expect(readHistory(state, readHost)).toEqual(entries)
  expect(readHistory(state, readHost, { facility: 'web' })).toEqual([entries[0], entries[2]])
  expect(readHistory(state, readHost, { limit: 2 })).toEqual(entries.slice(1))
  expect(readHistory(state, readHost, { limit: 0 })).toEqual([])
})

test('E18: without a state directory the history is empty', () => {
  expect(readHistory(join(state, 'gone'), readHost)).toEqual([])
})

test('a line cut off by a crash hides neither earlier nor later entries', () => {
  openHistory(state, createWriteHost()).append(makeEntry('before'))
  appendFileSync(join(state, 'history.jsonl'), '{"time":"2026-01-02T03:0')
  openHistory(state, createWriteHost()).append(makeEntry('after'))
  expect(readHistory(state, readHost).map(entry => entry.facility)).toEqual(['before', 'after'])
})

test('a line that is no entry is skipped', () => {
  writeFileSync(join(state, 'history.jsonl'), 'null\n[]\n{"time":1}\n\n')
  expect(readHistory(state, readHost)).toEqual([])
})

test('the file stays within twice its limit and keeps the newest entries', () => {
  const limit = 2_000
  const history = openHistory(state, createWriteHost(), limit)
  for (let index = 0; index < 100; index += 1) history.append(makeEntry('web', index))
  const names = readdirSync(state).sort()
  expect(names).toEqual(['history.1.jsonl', 'history.jsonl'])
  const sizes = names.map(name => statSync(join(state, name)).size)
  for (const size of sizes) expect(size).toBeLessThan(limit + 300)
  const durations = readHistory(state, readHost).map(entry => entry.duration)
  expect(durations).toEqual([...Array(100).keys()].slice(100 - durations.length))
  expect(durations.length).toBeGreaterThan(5)
})

test('S4: only its owner can read it', () => {
  openHistory(state, createWriteHost()).append(makeEntry('web'))
  expect(statSync(join(state, 'history.jsonl')).mode & 0o777).toBe(0o600)
})
