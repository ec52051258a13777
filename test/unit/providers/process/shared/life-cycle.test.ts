import { describe, expect, test } from 'vitest'
import {
  delayOf,
  describeExit,
  exitOf,
  settle,
  settleFailedStart,
} from '../../../../../providers/process/shared/life-cycle.ts'
import {
  createRecord,
  formatRecord,
  parseRecord,
  type ServiceRecord,
} from '../../../../../providers/process/shared/service-record.ts'
import type { Process } from '../../../../../src/core/model/facility.ts'

const started = 1_000_000

function createRun(changes: Partial<ServiceRecord> = {}): ServiceRecord {
  const base = createRecord('up', 'this boot', started)
  return { ...base, phase: 'up', run: 3, startedAt: started, pid: 42, startTime: '77', ...changes }
}

function policy(name: Process['restart']['policy'], delay = 1_000): Process['restart'] {
  return { policy: name, delay }
}

function ended(code: number, after: number, changes: Partial<ServiceRecord> = {}): ServiceRecord {
  return createRun({ exit: exitOf(3, code, started + after), ...changes })
}

describe('the phase after the end of a run', () => {
  const cases = [
    ['always', 0, 'backoff'],
    ['always', 1, 'backoff'],
    ['on-failure', 0, 'finished'],
    ['on-failure', 1, 'backoff'],
    ['on-failure', 143, 'backoff'],
    ['never', 0, 'finished'],
    ['never', 1, 'failed'],
    ['never', 137, 'failed'],
  ] as const
  for (const [name, code, phase] of cases) {
    test(`policy ${name}, status ${code}: ${phase}`, () => {
      const record = settle(ended(code, 50), policy(name), started + 50, 0)
      expect(record.phase).toBe(phase)
      expect(record.pid).toBeUndefined()
      expect(record.nextStart === undefined).toBe(phase !== 'backoff')
    })
  }

  test('a requested end is no end of its own, whatever the policy', () => {
    for (const name of ['always', 'on-failure', 'never'] as const) {
      expect(settle(ended(1, 50, { asked: true }), policy(name), started + 50, 0).phase).toBe('down')
      expect(settle(ended(1, 50, { want: 'down' }), policy(name), started + 50, 0).phase).toBe('down')
    }
  })

  test('an unobserved end is a failure', () => {
    expect(settle(createRun({ exit: exitOf(3, undefined, started) }), policy('on-failure'), started, 0).phase).toBe(
      'backoff',
    )
    expect(settle(createRun({ exit: exitOf(2, 0, started) }), policy('on-failure'), started, 0).phase).toBe('backoff')
  })
})

describe('the delay before the next start', () => {
  test('is the least time between two starts: a longer run is followed by a start at once', () => {
    expect(settle(ended(1, 200), policy('always', 1_000), started + 200, 0).nextStart).toBe(started + 1_000)
    expect(settle(ended(1, 5_000), policy('always', 1_000), started + 5_000, 0).nextStart).toBe(started + 1_000)
  })

  test('doubles with each quick failure, up to a minute', () => {
    let record = ended(1, 50)
    const waits: number[] = []
    for (let count = 0; count < 9; count += 1) {
      const next = settle(record, policy('always', 1_000), started + 50, 0)
      waits.push((next.nextStart ?? 0) - started)
      record = { ...record, restarts: next.restarts }
    }
    expect(waits).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000])
    expect(record.restarts).toBe(9)
  })

  test('resets after ten seconds of running', () => {
    expect(settle(ended(1, 9_999, { restarts: 5 }), policy('always'), started + 9_999, 0).restarts).toBe(6)
    expect(settle(ended(1, 10_000, { restarts: 5 }), policy('always'), started + 10_000, 0).restarts).toBe(1)
  })

  test('of zero: only the first failure is followed by a start at once', () => {
    expect([1, 2, 3, 4].map(failures => delayOf(failures, 0, 0))).toEqual([0, 200, 400, 800])
  })

  test('may be declared longer than a minute, and varies by at most a tenth', () => {
    expect(delayOf(8, 120_000, 0)).toBe(120_000)
    expect(delayOf(20, 1_000, 0.999)).toBeGreaterThan(60_000)
    expect(delayOf(20, 1_000, 0.999)).toBeLessThan(66_001)
  })
})

test('PITFALLS 15: the same failure has the same message, however often and whenever', () => {
  const first = settle(ended(1, 50), policy('always'), started + 50, 0)
  const later = settle(ended(1, 70, { restarts: 7 }), policy('always'), started + 70, 0.5)
  expect(later.message).toBe(first.message)
  expect(first.message).toBe('it ended by itself with exit code 1')
})

test('a failed start is delayed like a failure, and gives its reason', () => {
  const record = settleFailedStart(createRun(), policy('on-failure'), 'there is no user web', started, 0)
  expect(record).toMatchObject({ phase: 'backoff', restarts: 1, message: 'there is no user web' })
  expect(settleFailedStart(createRun(), policy('never'), 'no', started, 0).phase).toBe('failed')
  expect(settleFailedStart(createRun({ want: 'down' }), policy('always'), 'no', started, 0).phase).toBe('down')
})

test('an exit status over 128 is a signal if a signal has that number', () => {
  expect(exitOf(1, 143, 5)).toEqual({ run: 1, signal: 'TERM', at: 5 })
  expect(exitOf(1, 137, 5)).toEqual({ run: 1, signal: 'KILL', at: 5 })
  expect(exitOf(1, 134, 5)).toEqual({ run: 1, signal: 'ABRT', at: 5 })
  expect(exitOf(1, 255, 5)).toEqual({ run: 1, code: 255, at: 5 })
  expect(exitOf(1, 128, 5)).toEqual({ run: 1, code: 128, at: 5 })
  expect(describeExit(exitOf(1, undefined, 5))).toBe('an unknown exit code')
})

describe('the record on disk', () => {
  const record: ServiceRecord = {
    ...ended(143, 20, { asked: true, restarts: 2, nextStart: 5, message: 'why' }),
    loaded: { definition: 'abc', files: { '/etc/x': 'absent' } },
    reeve: { owner: 'default', facility: 'web', files: ['/etc/x'], dependsOn: ['db'], prune: false },
    stop: { signal: 'INT', timeout: 5 },
  }

  test('reads back as it was written', () => {
    expect(parseRecord(formatRecord(record))).toEqual(record)
    expect(parseRecord(formatRecord(createRecord('down', 'b', 1)))).toEqual(createRecord('down', 'b', 1))
  })

  test('counts as absent if it is truncated, empty or edited to nonsense', () => {
    const text = formatRecord(record)
    expect(parseRecord(undefined)).toBeUndefined()
    expect(parseRecord('')).toBeUndefined()
    expect(parseRecord(text.slice(0, 80))).toBeUndefined()
    expect(parseRecord(text.replace('"up"', '"sideways"'))).toBeUndefined()
    expect(parseRecord('[1]')).toBeUndefined()
  })
})
