import { expect, test } from 'vitest'
import { createDownCheck } from '../../../../../providers/scan-directory/apply/down-check.ts'
import type { SupervisionStatus } from '../../../../../providers/scan-directory/family.ts'
import type { Supervision } from '../../../../../providers/scan-directory/observe/supervision.ts'
import { createManualClock } from '../../../../tools/manual-clock.ts'

const told: SupervisionStatus = { state: 'down', want: 'down', isPaused: false, since: 0 }

function alive(status: Partial<SupervisionStatus> = {}): Extract<Supervision, { state: 'alive' }> {
  const rest = { pid: undefined, launched: undefined, isPreparing: false, orphan: undefined }
  return { ...rest, state: 'alive', status: { ...told, ...status } }
}

/** Evidence of a process that is gone before its supervisor has said so. */
const gone = alive({ isCorrected: true })
const orphan = { pid: 7, startTime: '1' }

test.each<[what: string, found: Supervision, isOver: boolean]>([
  ['its supervisor says that it is down', alive(), true],
  ['it is down, and would be started again', alive({ want: 'up' }), false],
  ['it runs', alive({ state: 'up', pid: 7 }), false],
  ['its finish script runs', alive({ state: 'finish', pid: 7 }), false],
  ['only the process table says that it is down', gone, false],
  ['its supervisor has left it behind', { ...alive(), orphan }, false],
  ['its supervisor is gone', { state: 'dead', orphan: undefined }, true],
  ['its supervisor is gone and has left it behind', { state: 'dead', orphan }, false],
  ['the state is unknown', { state: 'unknown', message: 'nonsense', orphan: undefined }, false],
])('a stop at the first observation: %s', (_what, found, isOver) => {
  expect(createDownCheck(createManualClock())(found)).toBe(isOver)
})

test('what only the process table says counts as a stop after one second', async () => {
  const clock = createManualClock()
  const isOver = createDownCheck(clock)
  expect(isOver(gone)).toBe(false)
  await clock.advance(999)
  expect(isOver(gone)).toBe(false)
  await clock.advance(1)
  expect(isOver(gone)).toBe(true)
})

test.each<[what: string, between: Supervision]>([
  ['a finish script', alive({ state: 'finish', pid: 7 })],
  ['a process that still exists', alive({ state: 'up', pid: 7 })],
  ['an orphan', { ...gone, orphan }],
])('%s restarts the delay', async (_what, between) => {
  const clock = createManualClock()
  const isOver = createDownCheck(clock)
  expect(isOver(gone)).toBe(false)
  await clock.advance(900)
  expect(isOver(between)).toBe(false)
  await clock.advance(100)
  expect(isOver(gone)).toBe(false)
  await clock.advance(1_000)
  expect(isOver(gone)).toBe(true)
})
