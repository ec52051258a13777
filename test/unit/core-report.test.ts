import { describe, expect, test } from 'vitest'
import { backoffDelay, RETRY, STALLED_AFTER } from '../../src/core/backoff.ts'
import { bytesEqual, textOf } from '../../src/core/bytes.ts'
import { type Condition, type ConditionInput, conditionsOf } from '../../src/core/conditions.ts'
import { hasDefinition } from '../../src/core/facility.ts'
import { type Observed, unknownService } from '../../src/core/observed.ts'
import { type HealthState, readinessOf, SETTLING_TIME } from '../../src/core/readiness.ts'
import { ReeveError } from '../../src/core/reeve-error.ts'
import { type Declaration, makeFacility } from '../simulation/declaration.ts'

const now = 1_000_000

describe('readiness', () => {
  type Row = [Partial<Declaration>, Partial<Observed>, HealthState, ready: boolean, reason: string]
  const rows: Row[] = [
    [{}, { state: 'running', since: now - SETTLING_TIME }, 'none', true, 'Running'],
    [{}, { state: 'running', since: now - SETTLING_TIME + 1 }, 'none', false, 'Starting'],
    [{}, { state: 'running' }, 'none', true, 'Running'],
    [{}, { state: 'running', since: now + 3_600_000 }, 'none', true, 'Running'], // the clock was set back
    [{}, { state: 'running', since: now + 10 }, 'none', false, 'Starting'], // and this is rounding
    [{}, { state: 'running', since: now }, 'healthy', true, 'Healthy'],
    [{}, { state: 'running', since: 0 }, 'unhealthy', false, 'Unhealthy'],
    [{}, { state: 'running', since: 0 }, 'starting', false, 'HealthPending'],
    [{}, { state: 'running', since: 0 }, 'unknown', false, 'HealthPending'],
    [{}, { state: 'starting' }, 'none', false, 'Starting'],
    [{}, { state: 'starting', restarts: 0 }, 'none', false, 'Starting'],
    [{}, { state: 'starting', restarts: 1 }, 'none', false, 'CrashLoop'],
    [{}, { state: 'stopping' }, 'none', false, 'Stopping'],
    [{}, { state: 'stopped' }, 'none', false, 'Stopped'],
    [{}, { state: 'stopped', restarts: 1 }, 'none', false, 'Stopped'],
    [{}, { state: 'failed' }, 'none', false, 'Failed'],
    [{}, { state: 'absent' }, 'none', false, 'Absent'],
    [{}, { state: 'unknown' }, 'healthy', false, 'Unknown'],
    [{}, { state: 'stopped', completed: true }, 'none', true, 'Completed'],
    [{ state: 'stopped' }, { state: 'stopped' }, 'none', true, 'Stopped'],
    [{ state: 'stopped' }, { state: 'failed' }, 'none', true, 'Stopped'],
    [{ state: 'stopped' }, { state: 'absent' }, 'none', false, 'Absent'], // it is yet to be installed
    [{ state: 'stopped', enabled: false, command: null }, { state: 'absent' }, 'none', true, 'Absent'],
    [{ state: 'stopped', command: null }, { state: 'absent' }, 'none', false, 'Absent'],
    [{ state: 'stopped' }, { state: 'stopping' }, 'none', false, 'NotStopped'],
    [{ state: 'stopped' }, { state: 'running' }, 'none', false, 'NotStopped'],
    [{ state: 'stopped' }, { state: 'unknown' }, 'none', false, 'Unknown'],
    [{ state: 'unmanaged' }, { state: 'failed' }, 'none', true, 'Unmanaged'],
    [{ state: 'unmanaged' }, { state: 'absent' }, 'none', false, 'Absent'],
  ]
  for (const [declared, found, health, ready, reason] of rows) {
    const name = `${declared.state ?? 'running'}, found ${JSON.stringify(found)}, health ${health}`
    test(`${name}: ${reason}${ready ? '' : ', not ready'}`, () => {
      const facility = makeFacility({ name: 'web', ...declared })
      const observed: Observed = { service: 'web', state: 'running', enabled: true, supervised: true, ...found }
      expect(readinessOf(facility, observed, health, now)).toMatchObject({ ready, reason })
    })
  }

  test('what is said to people', () => {
    const messages = rows.map(([declared, found, health]) => {
      const facility = makeFacility({ name: 'web', ...declared })
      const observed: Observed = { service: 'web', state: 'running', enabled: true, supervised: true, ...found }
      return readinessOf(facility, observed, health, now).message
    })
    expect([...new Set(messages)].sort()).toMatchInlineSnapshot(`
      [
        "absent",
        "failed",
        "failed; its state is not managed",
        "it has done its work and ended, as its restart policy allows",
        "not installed, and declared neither to run nor to start at boot",
        "running",
        "running, and its health check has not passed yet",
        "running, and its health check passes",
        "running, but its health check fails",
        "running, declared stopped",
        "started just now",
        "starting",
        "stopped",
        "stopped, as declared",
        "stopping",
        "stopping, declared stopped",
        "the supervisor has not been asked yet",
      ]
    `)
  })

  test('E7: not asked yet is unknown, never ready', () => {
    const readiness = readinessOf(makeFacility({ name: 'web', state: 'stopped' }), undefined, 'none', now)
    expect(readiness).toMatchObject({ ready: false, reason: 'Unknown' })
  })

  test('the message has what the supervisor says', () => {
    const observed: Observed = { service: 'web', state: 'failed', enabled: true, supervised: true, message: 'exit 7' }
    expect(readinessOf(makeFacility({ name: 'web' }), observed, 'none', now).message).toBe('failed: exit 7')
  })
})

describe('conditions', () => {
  const ready = { ready: true, reason: 'Running', message: 'running' }
  const failing = { ready: false, reason: 'CrashLoop', message: 'starting: exit 7' }
  const calm: ConditionInput = { readiness: ready, suspended: false, failures: 0 }

  const rows: [name: string, ConditionInput, expected: string[]][] = [
    ['as declared', calm, ['True Running', 'False AsDeclared', 'False Progressing']],
    ['under way', { ...calm, underWay: 'start' }, ['True Running', 'True UnderWay', 'False Progressing']],
    [
      'E11: a first failure',
      { ...calm, readiness: failing, failures: 1, lastError: 'no' },
      ['False CrashLoop', 'True Retrying', 'True CrashLoop'],
    ],
    [
      'E11: failing again and again',
      { ...calm, readiness: { ...failing, reason: 'Failed' }, failures: STALLED_AFTER, lastError: 'no' },
      ['False Failed', 'True Retrying', 'True Failing'],
    ],
    [
      'E11: not often enough to be stalled',
      { ...calm, readiness: { ...failing, reason: 'Failed' }, failures: STALLED_AFTER - 1, lastError: 'no' },
      ['False Failed', 'True Retrying', 'False Progressing'],
    ],
    ['E8: blocked', { ...calm, blocked: 'declare adopt: true' }, ['False Blocked', 'False Blocked', 'True Blocked']],
    [
      'suspended',
      { ...calm, suspended: true, underWay: 'x' },
      ['True Running', 'False Suspended', 'False Progressing'],
    ],
    ['out of sync', { ...calm, pending: 'start' }, ['True Running', 'False OutOfSync', 'False Progressing']],
    [
      'E7: unknown',
      { ...calm, readiness: { ready: false, reason: 'Unknown', message: 'no answer' } },
      ['Unknown Unknown', 'False AsDeclared', 'False Progressing'],
    ],
  ]
  for (const [name, input, expected] of rows) {
    test(name, () => {
      const conditions = conditionsOf(input, [], 'now')
      expect(conditions.map(({ type }) => type)).toEqual(['Ready', 'Reconciling', 'Stalled'])
      expect(conditions.map(({ status, reason }) => `${status} ${reason}`)).toEqual(expected)
    })
  }

  test('what is said to people', () => {
    const said = rows.flatMap(([, input]) => conditionsOf(input, [], 'now'))
    const messages = said.map(({ type, reason, message }) => `${type} ${reason}: ${message}`)
    expect([...new Set(messages)].sort()).toMatchInlineSnapshot(`
      [
        "Ready Blocked: declare adopt: true",
        "Ready CrashLoop: starting: exit 7",
        "Ready Failed: starting: exit 7",
        "Ready Running: running",
        "Ready Unknown: no answer",
        "Reconciling AsDeclared: nothing to do",
        "Reconciling Blocked: nothing is done while it is blocked",
        "Reconciling OutOfSync: start",
        "Reconciling Retrying: no",
        "Reconciling Suspended: observed only, till it is resumed",
        "Reconciling UnderWay: start",
        "Stalled Blocked: declare adopt: true",
        "Stalled CrashLoop: starting: exit 7",
        "Stalled Failing: no",
        "Stalled Progressing: it can go on",
      ]
    `)
  })

  test('since is kept while the status stays, and only then', () => {
    const before: Condition[] = conditionsOf(calm, [], 'first')
    const same = conditionsOf({ ...calm, underWay: 'start' }, before, 'second')
    expect(same.map(({ since }) => since)).toEqual(['first', 'second', 'first'])
  })

  test('PITFALLS 15: the message of a failure is the error alone', () => {
    const [, one] = conditionsOf({ ...calm, failures: 4, lastError: 'no such file' }, [], 'now')
    const [, two] = conditionsOf({ ...calm, failures: 5, lastError: 'no such file' }, [], 'later')
    expect(one?.message).toBe('no such file')
    expect(two?.message).toBe(one?.message)
    const [, , stalled] = conditionsOf({ ...calm, failures: STALLED_AFTER, lastError: 'no such file' }, [], 'now')
    expect(stalled?.message).toBe('no such file')
  })
})

describe('errors', () => {
  test('are told by their name, and keep their cause', () => {
    const cause = new Error('no such file')
    const error = new ReeveError('failed', 'it failed', { cause })
    expect([error.name, error.cause, error instanceof ReeveError]).toEqual(['ReeveError', cause, true])
    const copy = Object.assign(new Error('of an outside provider'), { name: 'ReeveError' })
    expect(copy instanceof ReeveError).toBe(true)
    expect('cause' in new ReeveError('failed', 'it failed')).toBe(false)
  })
})

describe('a service whose supervisor is silent', () => {
  test('is unknown in all that can be known', () => {
    expect(unknownService('web', 'no answer')).toEqual({
      service: 'web',
      state: 'unknown',
      enabled: 'unknown',
      supervised: false,
      message: 'no answer',
    })
  })
})

describe('whether Reeve writes a definition', () => {
  const rows: [Declaration, boolean][] = [
    [{ name: 'web' }, true],
    [{ name: 'web', native: true }, true],
    [{ name: 'web', command: null }, false],
  ]
  for (const [declaration, expected] of rows) {
    test(`${JSON.stringify(declaration)}: ${expected}`, () => {
      expect(hasDefinition(makeFacility(declaration))).toBe(expected)
    })
  }
})

describe('E11: backoff', () => {
  test('doubles from the first wait to the longest', () => {
    const waits = [1, 2, 3, 9, 10, 1_000].map(count => backoffDelay(count, 0))
    expect(waits).toEqual([1_000, 2_000, 4_000, 256_000, 300_000, 300_000])
    expect(backoffDelay(0, 0)).toBe(1_000)
  })

  test('chance takes away up to a fifth, never adds', () => {
    expect(backoffDelay(1, 0.999999)).toBe(800)
    expect(backoffDelay(1, 0.5)).toBe(900)
    expect(backoffDelay(50, 0.5, { ...RETRY, most: 10_000, jitter: 1 })).toBe(5_000)
  })
})

describe('bytes', () => {
  test('equal means the same length and the same bytes', () => {
    expect(bytesEqual(Uint8Array.of(1, 2), Uint8Array.of(1, 2))).toBe(true)
    expect(bytesEqual(Uint8Array.of(1, 2), Uint8Array.of(1, 3))).toBe(false)
    expect(bytesEqual(Uint8Array.of(1, 2), Uint8Array.of(1, 2, 3))).toBe(false)
    expect(bytesEqual(new Uint8Array(), new Uint8Array())).toBe(true)
  })

  test('text is UTF-8 without NUL, and a byte order mark is part of it', () => {
    expect(textOf(new TextEncoder().encode('é\n'))).toBe('é\n')
    expect(textOf(Uint8Array.of(0xff))).toBeUndefined()
    expect(textOf(Uint8Array.of(65, 0))).toBeUndefined()
    expect(textOf(Uint8Array.of(0xef, 0xbb, 0xbf, 65))).toBe('\uFEFFA')
  })
})
