import { expect, test } from 'vitest'
import type { HistoryEntry } from '../../../src/engine/session/history.ts'
import { type Done, findUntruths } from '../../story/history-check.ts'

const killed: Done = { facility: 'web', action: 'service killed', at: 0, tells: [], mayTell: ['restart ended'] }
const edited: Done = {
  facility: 'web',
  action: 'unit edited',
  at: 1_000,
  tells: ['install definition-drift'],
  mayTell: [],
}
const removed: Done = { facility: 'web', action: 'removed', at: 2_000, tells: ['remove pruned'], mayTell: [] }

const install = entry(1_500, 'install', 'definition-drift')
const remove = entry(2_500, 'remove', 'pruned')

function entry(
  at: number,
  verb: HistoryEntry['verb'],
  reason: HistoryEntry['reason'],
  more: Partial<HistoryEntry> = {},
): HistoryEntry {
  const trigger = reason === 'ended' ? 'supervisor' : 'controller'
  const base = { facility: 'web', supervisor: 'systemd', service: 'web', step: `web/${verb}`, duration: 0 }
  return { ...base, time: new Date(at).toISOString(), verb, reason, result: 'done', trigger, ...more }
}

test('a restart by the supervisor may be recorded after the action that follows a kill', () => {
  expect(findUntruths([killed, edited], [entry(1_100, 'restart', 'ended'), install])).toEqual([])
})

test.each([
  ['nothing ended the service', [edited], [entry(1_100, 'restart', 'ended'), install]],
  ['two actions came after the kill', [killed, edited, removed], [install, entry(2_100, 'restart', 'ended'), remove]],
  ['Reeve restarts it', [killed, edited], [entry(1_100, 'restart', 'unhealthy'), install]],
])('a restart is untrue if %s', (_why, done, entries) => {
  expect(findUntruths(done, entries)).toEqual([expect.stringMatching(/has nothing to do with "restart/)])
})

test('an entry is missing if an action has to be followed by one', () => {
  expect(findUntruths([edited], [])).toEqual([expect.stringMatching(/no entry of "install definition-drift"/)])
})

test('a step may fail only by what its action allows', () => {
  const aborted = entry(1_500, 'install', 'definition-drift', { result: 'aborted', error: 'given up' })
  expect(findUntruths([edited], [aborted, install])).toEqual([expect.stringMatching(/^it failed: .* given up$/)])
  expect(findUntruths([{ ...edited, mayFailBy: /^given up$/ }], [aborted, install])).toEqual([])
})
