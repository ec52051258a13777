import { expect, test } from 'vitest'
import { parseProcessStat, readProcessFacts } from '../../../src/host/process-facts.ts'
import { isAlive } from '../../../src/host/process-identity.ts'

/** Fields 3 to 24 of a process with start time 4711 in field 22. */
const fields = 'S 1 120 119 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4711 999 12'
const facts = { parent: 1, group: 120, session: 119, hasTerminal: false, state: 'S', startTime: '4711' }

test.each([
  ['a plain name', 'node'],
  ['spaces', 'my own service'],
  ['an empty name', ''],
  ['a closing parenthesis', 'a) b'],
  ['a name like a whole line', '1) R 1 (x) Z 7 7 7'],
  ['a newline', 'two\nlines'],
  ['only parentheses', '(()))('],
  ['an opening parenthesis after a space', ' ( '],
])('a process is identified whatever its name: %s', (_what, name) => {
  expect(parseProcessStat(`123 (${name}) ${fields}`)).toEqual({ pid: 123, ...facts })
})

test('a controlling terminal is detected', () => {
  expect(parseProcessStat(`123 (sh) ${fields.replace('119 0 -1', '119 34816 123')}`)?.hasTerminal).toBe(true)
})

test.each([
  ['nothing', ''],
  ['a cut line', '123 (node) S 1 2'],
  ['no parentheses', '123 node S 1 2'],
  ['words', 'x (y) z'],
])('a malformed /proc/PID/stat gives nothing: %s', (_what, text) => {
  expect(parseProcessStat(text)).toBeUndefined()
})

test('the facts of this process agree with Node', () => {
  expect(readProcessFacts(process.pid)).toMatchObject({ pid: process.pid, parent: process.ppid })
})

test.each([0, -1, 1.5, Number.NaN, 2 ** 22 + 1])('process %d does not exist', pid => {
  expect(readProcessFacts(pid)).toBeUndefined()
})

test.each([
  ['sleeps', 'S', '4711', true],
  ['is stopped', 'T', '4711', true],
  ['is a zombie', 'Z', '4711', false],
  ['is exiting', 'X', '4711', false],
  ['has been replaced by another process', 'S', '4712', false],
])('a process that %s is alive as itself or not', (_what, state, startTime, expected) => {
  const host = { process: (pid: number) => ({ pid, ...facts, state, startTime }) }
  expect(isAlive({ pid: 123, startTime: '4711' }, host)).toBe(expected)
})
