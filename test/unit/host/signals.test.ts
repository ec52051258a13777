import { expect, test } from 'vitest'
import { sendSignal } from '../../../src/host/signal-sending.ts'
import { findSignalName, findSignalNumber } from '../../../src/host/signals.ts'

test.each([
  ['TERM', 15],
  ['SIGTERM', 15],
  ['9', 9],
  ['RTMIN', 34],
  ['RTMIN+3', 37],
  ['RTMAX-1', 63],
  ['RTMAX+1', undefined],
  ['RTMIN-1', undefined],
  ['0', undefined],
  ['65', undefined],
  ['NOPE', undefined],
  ['', undefined],
])('signal %j is number %j', (name, number) => {
  expect(findSignalNumber(name)).toBe(number)
})

test.each([0, 1, -1, Number.NaN])('pid %d is never signalled', pid => {
  expect(() => sendSignal(pid, 'CONT')).toThrow(/expected the id of a process/)
})

test.each([
  [6, 'ABRT'],
  [9, 'KILL'],
  [29, 'IO'],
  [34, undefined],
])('signal %i is shown as %s', (number, name) => {
  expect(findSignalName(number)).toBe(name)
})
