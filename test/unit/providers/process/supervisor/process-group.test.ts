import { expect, test } from 'vitest'
import { findLeftMembers } from '../../../../../providers/process/supervisor/process-group.ts'
import type { ProcessFacts, ReadHost } from '../../../../../src/core/contracts/host.ts'
import { createReadHost } from '../../../../../src/host/read-host.ts'

const main = { pid: 100, startTime: '5000' }

function createHost(...processes: readonly Partial<ProcessFacts>[]): ReadHost {
  const facts = new Map<number, ProcessFacts>()
  for (const [index, given] of processes.entries()) {
    const pid = given.pid ?? 200 + index
    const usual = { pid, parent: 1, group: 100, session: 100, hasTerminal: false, state: 'S', startTime: '5100' }
    facts.set(pid, { ...usual, ...given })
  }
  return { ...createReadHost(), process: pid => facts.get(pid), processes: () => [...facts.keys()] }
}

test('a process born during the life of the main process belongs to its group', () => {
  expect(findLeftMembers(createHost({}, { startTime: '5000' }, { startTime: '6000' }), main, 6_000)).toEqual([
    200, 201, 202,
  ])
})

test('a process born before the main process or after it was last seen may belong to a recycled group id', () => {
  expect(findLeftMembers(createHost({ startTime: '4999' }, { startTime: '6001' }), main, 6_000)).toEqual([])
})

test('another group, another session and zombies do not belong', () => {
  const host = createHost({ group: 101 }, { session: 101 }, { state: 'Z' })
  expect(findLeftMembers(host, main, 6_000)).toEqual([])
})

test('if the pid now belongs to another process, nothing of the group is left', () => {
  expect(findLeftMembers(createHost({ pid: 100, startTime: '5500' }, {}), main, 6_000)).toEqual([])
  expect(findLeftMembers(createHost({ pid: 100, startTime: '5000', state: 'Z' }, {}), main, 6_000)).toEqual([201])
})
