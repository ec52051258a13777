import { expect, test } from 'vitest'
import { parseProcessStat, readProcessFacts } from '../../../src/host/process-facts.ts'
import { isAlive } from '../../../src/host/process-identity.ts'

/** Fields 3 to 24 of a process of which 22 is 4711. */
const fields = 'S 1 120 119 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4711 999 12'
const facts = { parent: 1, group: 120, session: 119, hasTerminal: false, state: 'S', startTime: '4711' }

test.each([
  ['a plain name', 'node'],
  ['spaces', 'my own service'],
  ['no name at all', ''],
  ['a closing parenthesis', 'a) b'],
  ['a whole line of its own', '1) R 1 (x) Z 7 7 7'],
  ['a newline', 'two\nlines'],
  ['only parentheses', '(()))('],
  ['an opening one behind a space', ' ( '],
])('a process is identified whatever it calls itself: %s', (_what, name) => {
  expect(parseProcessStat(`123 (${name}) ${fields}`)).toEqual({ pid: 123, ...facts })
})

test('who has a controlling terminal is told from who has none', () => {
  expect(parseProcessStat(`123 (sh) ${fields.replace('119 0 -1', '119 34816 123')}`)?.hasTerminal).toBe(true)
})

test.each([
  ['nothing', ''],
  ['a cut line', '123 (node) S 1 2'],
  ['no parentheses', '123 node S 1 2'],
  ['words', 'x (y) z'],
])('what is no line of /proc/PID/stat gives nothing: %s', (_what, text) => {
  expect(parseProcessStat(text)).toBeUndefined()
})

test('the facts of this process are those that Node knows', () => {
  expect(readProcessFacts(process.pid)).toMatchObject({ pid: process.pid, parent: process.ppid })
})

test.each([0, -1, 1.5, Number.NaN, 2 ** 22 + 1])('there is no process %d', pid => {
  expect(readProcessFacts(pid)).toBeUndefined()
})

test.each([
  ['sleeps', 'S', '4711', true],
  ['is stopped', 'T', '4711', true],
  ['waits for its parent', 'Z', '4711', false],
  ['is going', 'X', '4711', false],
  ['is another one by now', 'S', '4712', false],
])('a process that %s: alive as itself or not', (_what, state, startTime, expected) => {
  const host = { process: (pid: number) => ({ pid, ...facts, state, startTime }) }
  expect(isAlive({ pid: 123, startTime: '4711' }, host)).toBe(expected)
})
