import { expect, test } from 'vitest'
import type { Condition, FacilityStatus } from '../../../../src/core/contracts/status.ts'
import { findChanged } from '../../../../src/engine/rollout/changed-facilities.ts'
import { type StandingInput, standingOf } from '../../../../src/engine/rollout/standing.ts'

const condition = (type: Condition['type'], status: Condition['status'], reason: string, message = ''): Condition => ({
  type,
  status,
  reason,
  message,
  since: '',
})

const status = (...conditions: readonly Condition[]): FacilityStatus => ({
  name: 'web',
  supervisor: 'lab',
  service: 'web',
  state: 'running',
  enabled: true,
  pid: 7,
  since: null,
  health: 'none',
  restarts: 2,
  conditions,
})

const isReady = condition('Ready', 'True', 'Running', 'running')
const idle = condition('Reconciling', 'False', 'AsDeclared')
const plain: StandingInput = {
  status: status(isReady, idle),
  isDeclared: true,
  hasWork: false,
  isHindered: false,
}
const notReady = (reason: string): FacilityStatus =>
  status(condition('Ready', 'False', reason, reason), condition('Reconciling', 'False', reason))
const retrying = (message: string): FacilityStatus =>
  status(isReady, condition('Reconciling', 'True', 'Retrying', message))

test.each<[string, Partial<StandingInput>, string]>([
  ['is ready', {}, 'ready'],
  ['has steps that wait for their turn', { hasWork: true }, 'waiting'],
  ['has steps under way', { status: status(isReady, condition('Reconciling', 'True', 'UnderWay')) }, 'progressing'],
  ['starts', { status: notReady('Starting') }, 'progressing'],
  ['has a health check that has not passed yet', { status: notReady('HealthPending') }, 'progressing'],
  ['crashes again and again', { status: notReady('CrashLooping') }, 'failed'],
  ['failed for good', { status: notReady('FailedForGood') }, 'failed'],
  ['fails its health check', { status: notReady('Unhealthy') }, 'failed'],
  ['failed in its last run', { status: notReady('RunFailed') }, 'failed'],
  ['has steps that failed', { status: retrying('no such user') }, 'failed'],
  ['has steps that failed by a full disk', { status: retrying('cannot write /x: ENOSPC') }, 'stalled'],
  ['failed in the pass before', { failure: 'not ready in time' }, 'failed'],
  ['failed in the pass before by a full disk', { failure: 'no space left on device' }, 'stalled'],
  ['is blocked by the revision itself', { status: notReady('Blocked') }, 'failed'],
  ['is blocked by what the host lacks', { status: notReady('Blocked'), isHindered: true }, 'stalled'],
  ['has a supervisor that does not answer', { status: status(condition('Ready', 'Unknown', 'Unknown')) }, 'stalled'],
  ['is suspended', { status: status(condition('Reconciling', 'False', 'Suspended')), hasWork: true }, 'ready'],
  ['has not been observed', { status: undefined }, 'progressing'],
  [
    'may be there, as its supervisor does not answer',
    { status: undefined, isDeclared: false, silence: 'it is down' },
    'stalled',
  ],
  ['was removed', { status: undefined, isDeclared: false }, 'ready'],
  ['is being removed', { isDeclared: false, hasWork: true }, 'progressing'],
  ['may not be removed', { isDeclared: false, hasWork: true, removalProblem: 'too many' }, 'stalled'],
  ['is kept though it is not declared any more', { status: notReady('Undeclared'), isDeclared: false }, 'ready'],
])('a facility that %s', (_what, input, kind) => {
  expect(standingOf({ ...plain, ...input }).kind).toBe(kind)
})

test('a restart makes another run of it', () => {
  const runOf = (more: Partial<FacilityStatus>): string | undefined =>
    standingOf({ ...plain, status: { ...status(isReady, idle), ...more } }).run
  expect(runOf({})).toBe(runOf({}))
  expect(runOf({ pid: 8 })).not.toBe(runOf({}))
  expect(runOf({ restarts: 3 })).not.toBe(runOf({}))
})

const facility = (name: string, digest: string, more: { supervisor?: string; renamedFrom?: string } = {}) => ({
  name,
  digest,
  supervisor: 'lab',
  ...more,
})
const lab = (path: string) => [{ name: 'lab', type: 'runit', options: { serviceDirectory: path } }]

test.each([
  ['nothing', [facility('a', '1')], [facility('a', '1')], '/x', []],
  [
    'what is declared otherwise',
    [facility('a', '1'), facility('b', '1')],
    [facility('a', '2'), facility('b', '1')],
    '/x',
    ['a'],
  ],
  ['what is new, and what is gone', [facility('b', '1')], [facility('a', '1')], '/x', ['a', 'b']],
  [
    'a renamed facility under its new name',
    [facility('old', '1')],
    [facility('new', '1', { renamedFrom: 'old' })],
    '/x',
    ['new'],
  ],
  [
    'all of a supervisor that is declared otherwise',
    [facility('a', '1'), facility('b', '1', { supervisor: 'x' })],
    [facility('a', '1'), facility('b', '1', { supervisor: 'x' })],
    '/y',
    ['a'],
  ],
])('a revision changes %s', (_what, before, after, path, changed) => {
  const former = { facilities: before, supervisors: lab('/x') }
  expect(findChanged(former, { facilities: after, supervisors: lab(path) })).toEqual(changed)
})

test('of a first revision, everything is changed', () => {
  expect(findChanged(undefined, { facilities: [facility('a', '1')], supervisors: [] })).toEqual(['a'])
})
