import { describe, expect, test } from 'vitest'
import { hasDefinition } from '../../../../src/core/model/facility.ts'
import { backoffDelay, RETRY, STALLED_AFTER } from '../../../../src/core/reconcile/backoff.ts'
import { type Condition, type ConditionInput, conditionsOf } from '../../../../src/core/reconcile/conditions.ts'
import { ReeveError } from '../../../../src/core/reeve-error.ts'
import { type Observed, unknownService } from '../../../../src/core/state/observed.ts'
import { GOOD_RUN, type HealthState, readinessOf } from '../../../../src/core/state/readiness.ts'
import { locationKey } from '../../../../src/core/state/snapshot.ts'
import { findTroubles } from '../../../../src/core/state/trouble.ts'
import { bytesEqual, textOf } from '../../../../src/core/text/bytes.ts'
import { type Declaration, makeFacility } from '../../../simulation/declaration.ts'

const now = 1_000_000

describe('readiness', () => {
  type Row = [Partial<Declaration>, Partial<Observed>, HealthState, ready: boolean, reason: string]
  const failing = { starts: ['job.service'], failure: { message: 'it exited with code 3' } }
  const rows: Row[] = [
    [{}, { state: 'running', since: now - 500 }, 'none', true, 'Running'],
    [{}, { state: 'running', since: now - 499 }, 'none', false, 'Starting'],
    [{ readyAfter: 0 }, { state: 'running', since: now }, 'none', true, 'Running'],
    [{ readyAfter: 3_000 }, { state: 'running', since: now - 2_999 }, 'healthy', false, 'Starting'],
    [{ readyAfter: 3_000 }, { state: 'running', since: now - 3_000 }, 'healthy', true, 'Healthy'],
    [{}, { state: 'running' }, 'none', true, 'Running'],
    [{}, { state: 'running', since: now + 3_600_000 }, 'none', true, 'Running'], // the clock was set back
    [{}, { state: 'running', since: now + 10 }, 'none', false, 'Starting'], // rounding
    [{}, { state: 'running', since: 0 }, 'healthy', true, 'Healthy'],
    [{}, { state: 'running', since: 0 }, 'unhealthy', false, 'Unhealthy'],
    [{}, { state: 'running', since: 0 }, 'starting', false, 'HealthPending'],
    [{}, { state: 'running', since: 0 }, 'unknown', false, 'HealthPending'],
    [{}, { state: 'starting' }, 'none', false, 'Starting'],
    [{}, { state: 'starting', restarts: 0 }, 'none', false, 'Starting'],
    [{}, { state: 'starting', restarts: 1 }, 'none', false, 'Starting'], // may be an accident
    [{}, { state: 'starting', restarts: 2 }, 'none', false, 'CrashLooping'],
    [{}, { state: 'running', since: now - 9_999, restarts: 2 }, 'healthy', false, 'CrashLooping'],
    [{}, { state: 'running', since: now - GOOD_RUN, restarts: 2 }, 'none', true, 'Running'],
    [{}, { state: 'running', since: now - 500, restarts: 1, totalRestarts: 9 }, 'none', true, 'Running'],
    [{}, { state: 'running', since: now - 9_999, restarts: 2, exit: { code: 3 } }, 'none', false, 'CrashLooping'],
    [{}, { state: 'starting', restarts: 3, exit: { signal: 'KILL' }, message: 'x' }, 'none', false, 'CrashLooping'],
    [{}, { state: 'starting', restarts: 3, message: 'there is no program /x' }, 'none', false, 'CrashLooping'],
    [{ state: 'stopped' }, { state: 'starting', restarts: 3 }, 'none', false, 'NotStopped'],
    [{ restart: 'never' }, { state: 'failed', exit: { code: 3 } }, 'none', false, 'FailedForGood'],
    [{ restart: 'never', state: 'stopped' }, { state: 'failed', exit: { code: 3 } }, 'none', true, 'Stopped'],
    [{}, { state: 'running', activation: failing }, 'none', false, 'RunFailed'],
    [{}, { state: 'running', activation: failing }, 'healthy', false, 'RunFailed'],
    [{}, { state: 'running', activation: { starts: ['job.service'] } }, 'none', true, 'Running'],
    // A waiting activation unit doesn't crash: it is ready at once.
    [{}, { state: 'running', since: now, activation: { starts: ['job.service'] } }, 'none', true, 'Running'],
    [{}, { state: 'failed', activation: failing }, 'none', false, 'Failed'],
    [{ state: 'stopped' }, { state: 'stopped', activation: failing }, 'none', true, 'Stopped'],
    [{}, { state: 'stopping' }, 'none', false, 'Stopping'],
    [{}, { state: 'stopped' }, 'none', false, 'Stopped'],
    [{}, { state: 'stopped', restarts: 1 }, 'none', false, 'Stopped'],
    [{}, { state: 'failed' }, 'none', false, 'Failed'],
    [{}, { state: 'absent' }, 'none', false, 'Absent'],
    [{}, { state: 'unknown' }, 'healthy', false, 'Unknown'],
    [{ restart: 'on-failure' }, { state: 'stopped', completed: true }, 'none', true, 'Completed'],
    // The supervisor has given up on it.
    [{}, { state: 'stopped', completed: true }, 'none', false, 'Stopped'],
    [{ state: 'stopped' }, { state: 'stopped' }, 'none', true, 'Stopped'],
    [{ state: 'stopped' }, { state: 'failed' }, 'none', true, 'Stopped'],
    [{ state: 'stopped' }, { state: 'absent' }, 'none', false, 'Absent'], // not installed yet
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

  test('messages are these', () => {
    const messages = rows.map(([declared, found, health]) => {
      const facility = makeFacility({ name: 'web', ...declared })
      const observed: Observed = { service: 'web', state: 'running', enabled: true, supervised: true, ...found }
      return readinessOf(facility, observed, health, now).message
    })
    expect([...new Set(messages)].sort()).toMatchInlineSnapshot(`
      [
        "absent",
        "crash loop: it ends soon after each start",
        "crash loop: it exited with code 3",
        "crash loop: it was killed by signal KILL",
        "crash loop: there is no program /x",
        "failed",
        "failed for good, as its restart policy is never: it exited with code 3",
        "failed; its state is not managed",
        "it has done its work and ended, as its restart policy allows",
        "its last run failed: it exited with code 3",
        "not installed, and declared neither to run nor to start at boot",
        "running",
        "running, and its health check has not passed yet",
        "running, and its health check passes",
        "running, but its health check fails",
        "running, declared stopped",
        "started less than 0.5 s ago",
        "started less than 3 s ago",
        "starting",
        "starting, declared stopped",
        "stopped",
        "stopped, as declared",
        "stopping",
        "stopping, declared stopped",
        "the supervisor has not been asked yet",
      ]
    `)
  })

  test('PITFALLS 14: a service declared running that is still starting is a trouble, with its time', () => {
    const find = (observed: Partial<Observed>, declaration: Partial<Declaration> = {}) => {
      const facility = makeFacility({ name: 'web', ...declaration })
      const services = new Map([[locationKey(facility), { ...unknownService('web', ''), ...observed }]])
      const snapshot = { services, owned: [], unavailable: new Map(), files: new Map(), places: new Map() }
      return findTroubles([{ facility, files: [], problems: [] }], snapshot, now).map(({ message }) => message)
    }
    const starting = { state: 'starting', message: 'it says nothing', since: 0 } as const
    expect(find(starting)).toEqual(['starting: it says nothing (since 1970-01-01T00:00:00.000Z)'])
    expect(find({ state: 'starting', message: 'x' })).toEqual(['starting: x'])
    // The service has just come up, or isn't declared running.
    expect(find({ state: 'running', since: now })).toEqual([])
    expect(find(starting, { state: 'unmanaged' })).toEqual([])
    expect(find(starting, { state: 'stopped' })).toEqual([])
  })

  test('E7: a service that was not observed yet is unknown, never ready', () => {
    const readiness = readinessOf(makeFacility({ name: 'web', state: 'stopped' }), undefined, 'none', now)
    expect(readiness).toMatchObject({ ready: false, reason: 'Unknown' })
  })

  test('the message includes that of the supervisor', () => {
    const observed: Observed = { service: 'web', state: 'failed', enabled: true, supervised: true, message: 'exit 7' }
    expect(readinessOf(makeFacility({ name: 'web' }), observed, 'none', now).message).toBe('failed: exit 7')
  })
})

describe('conditions', () => {
  const ready = { ready: true, reason: 'Running', message: 'running' }
  const failing = { ready: false, reason: 'CrashLooping', message: 'crash loop: it exited with code 7' }
  const calm: ConditionInput = { readiness: ready, suspended: false, failures: 0 }

  const rows: [name: string, ConditionInput, expected: string[]][] = [
    ['as declared', calm, ['True Running', 'False AsDeclared', 'False Progressing']],
    ['under way', { ...calm, underWay: 'start' }, ['True Running', 'True UnderWay', 'False Progressing']],
    [
      'E11: a first failure',
      { ...calm, readiness: failing, failures: 1, lastError: 'no' },
      ['False CrashLooping', 'True Retrying', 'True CrashLooping', 'True CrashLooping'],
    ],
    [
      'a job that failed',
      {
        ...calm,
        readiness: { ready: false, reason: 'RunFailed', message: 'its last run failed: it exited with code 7' },
      },
      ['False RunFailed', 'False RunFailed', 'False Progressing'],
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
      ['Unknown Unknown', 'False Unknown', 'False Progressing', 'Unknown Unknown'],
    ],
    [
      'E11: in a crash loop, with nothing to be done about it',
      { ...calm, readiness: failing },
      ['False CrashLooping', 'False CrashLooping', 'True CrashLooping', 'True CrashLooping'],
    ],
    [
      'failed for good',
      { ...calm, readiness: { ready: false, reason: 'FailedForGood', message: 'failed for good' } },
      ['False FailedForGood', 'False FailedForGood', 'True FailedForGood'],
    ],
    [
      'not ready yet',
      { ...calm, readiness: { ready: false, reason: 'Starting', message: 'starting' } },
      ['False Starting', 'False Starting', 'False Progressing'],
    ],
    [
      'suspended, and drifted',
      { ...calm, suspended: true, pending: 'to do: start' },
      ['True Running', 'False Suspended', 'False Progressing'],
    ],
  ]
  for (const [name, input, expected] of rows) {
    test(name, () => {
      const conditions = conditionsOf(input, [], 'now')
      expect(conditions.map(({ type }) => type)).toEqual(['Ready', 'Reconciling', 'Stalled', 'CrashLooping'])
      const stable = conditions.at(-1)?.status === 'False' ? ['False Stable'] : []
      expect(conditions.map(({ status, reason }) => `${status} ${reason}`)).toEqual([...expected, ...stable])
    })
  }

  test('messages are these', () => {
    const said = rows.flatMap(([, input]) => conditionsOf(input, [], 'now'))
    const messages = said.map(({ type, reason, message }) => `${type} ${reason}: ${message}`)
    expect([...new Set(messages)].sort()).toMatchInlineSnapshot(`
      [
        "CrashLooping CrashLooping: crash loop: it exited with code 7",
        "CrashLooping Stable: ",
        "CrashLooping Unknown: ",
        "Ready Blocked: declare adopt: true",
        "Ready CrashLooping: crash loop: it exited with code 7",
        "Ready Failed: crash loop: it exited with code 7",
        "Ready FailedForGood: failed for good",
        "Ready RunFailed: its last run failed: it exited with code 7",
        "Ready Running: running",
        "Ready Starting: starting",
        "Ready Unknown: no answer",
        "Reconciling AsDeclared: nothing to do",
        "Reconciling Blocked: nothing is done while it is blocked",
        "Reconciling CrashLooping: its supervisor starts it again; reeve apply has it begin at once",
        "Reconciling FailedForGood: nobody starts it again; reeve start does",
        "Reconciling OutOfSync: start",
        "Reconciling Retrying: no",
        "Reconciling RunFailed: the next run may go better; reeve start has it run now",
        "Reconciling Starting: waiting for it to become ready",
        "Reconciling Suspended: suspended; observed only until resumed",
        "Reconciling Suspended: suspended; observed only until resumed; to do: start",
        "Reconciling UnderWay: start",
        "Reconciling Unknown: nothing is done while its state is unknown",
        "Stalled Blocked: declare adopt: true",
        "Stalled CrashLooping: crash loop: it exited with code 7",
        "Stalled FailedForGood: failed for good",
        "Stalled Failing: no",
        "Stalled Progressing: ",
      ]
    `)
  })

  test('a condition keeps its time while its status stays the same', () => {
    const before: Condition[] = conditionsOf(calm, [], 'first')
    const same = conditionsOf({ ...calm, underWay: 'start' }, before, 'second')
    expect(same.map(({ since }) => since)).toEqual(['first', 'second', 'first', 'first'])
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
  test('an error is identified by its name and keeps its cause', () => {
    const cause = new Error('no such file')
    const error = new ReeveError('failed', 'it failed', { cause })
    expect([error.name, error.cause, error instanceof ReeveError]).toEqual(['ReeveError', cause, true])
    const copy = Object.assign(new Error('of an outside provider'), { name: 'ReeveError' })
    expect(copy instanceof ReeveError).toBe(true)
    expect('cause' in new ReeveError('failed', 'it failed')).toBe(false)
  })
})

describe('a service whose supervisor does not answer', () => {
  test('is unknown in every field', () => {
    expect(unknownService('web', 'no answer')).toEqual({
      service: 'web',
      state: 'unknown',
      enabled: 'unknown',
      supervised: false,
      message: 'no answer',
    })
  })
})

describe('whether Reeve writes a definition:', () => {
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
  test('doubles from the first delay up to the longest', () => {
    const waits = [1, 2, 3, 9, 10, 1_000].map(count => backoffDelay(count, 0))
    expect(waits).toEqual([1_000, 2_000, 4_000, 256_000, 300_000, 300_000])
    expect(backoffDelay(0, 0)).toBe(1_000)
  })

  test('is shortened at random by up to a fifth, and never lengthened', () => {
    expect(backoffDelay(1, 0.999999)).toBe(800)
    expect(backoffDelay(1, 0.5)).toBe(900)
    expect(backoffDelay(50, 0.5, { ...RETRY, most: 10_000, jitter: 1 })).toBe(5_000)
  })
})

describe('bytes', () => {
  test('are equal if their length and content are', () => {
    expect(bytesEqual(Uint8Array.of(1, 2), Uint8Array.of(1, 2))).toBe(true)
    expect(bytesEqual(Uint8Array.of(1, 2), Uint8Array.of(1, 3))).toBe(false)
    expect(bytesEqual(Uint8Array.of(1, 2), Uint8Array.of(1, 2, 3))).toBe(false)
    expect(bytesEqual(new Uint8Array(), new Uint8Array())).toBe(true)
  })

  test('are text if they are UTF-8 without NUL; a byte order mark is part of the text', () => {
    expect(textOf(new TextEncoder().encode('é\n'))).toBe('é\n')
    expect(textOf(Uint8Array.of(0xff))).toBeUndefined()
    expect(textOf(Uint8Array.of(65, 0))).toBeUndefined()
    expect(textOf(Uint8Array.of(0xef, 0xbb, 0xbf, 65))).toBe('\uFEFFA')
  })
})
