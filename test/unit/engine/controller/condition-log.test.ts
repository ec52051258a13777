import { expect, test } from 'vitest'
import type { FacilityStatus } from '../../../../src/core/contracts/status.ts'
import { type ConditionInput, conditionsOf } from '../../../../src/core/reconcile/conditions.ts'
import type { Readiness } from '../../../../src/core/state/readiness.ts'
import { createConditionLog, OVER_AFTER } from '../../../../src/engine/controller/condition-log.ts'
import { createManualClock } from '../../../tools/manual-clock.ts'

const HOUR = 3_600_000

const well: Readiness = { ready: true, reason: 'Running', message: 'running' }
const starting: Readiness = { ready: false, reason: 'Starting', message: 'started just now' }
const ill: Readiness = { ready: false, reason: 'Unhealthy', message: 'running, but its health check fails' }
const crashing: Readiness = {
  ready: false,
  reason: 'CrashLooping',
  message: 'crash loop: it exited with code 3',
}

function openLog() {
  const clock = createManualClock()
  const lines: string[] = []
  const fields: Readonly<Record<string, unknown>>[] = []
  const say = (level: string) => (more: Readonly<Record<string, unknown>>, message: string) => {
    lines.push(`${level} ${message}`)
    fields.push(more)
  }
  const log = createConditionLog(clock, {
    debug: say('debug'),
    info: say('info'),
    warn: say('warn'),
    error: say('error'),
  })
  const note = (readiness: Readiness, more: Partial<ConditionInput> & { readonly digest?: string } = {}): void => {
    const { digest = 'one', ...input } = more
    log.note([statusOf({ readiness, suspended: false, failures: 0, ...input })], () => digest)
  }
  return { clock, lines, fields, log, note }
}

function statusOf(input: ConditionInput): FacilityStatus {
  return {
    name: 'web',
    supervisor: 'lab',
    service: 'web',
    state: 'running',
    enabled: true,
    pid: 1,
    since: null,
    health: 'none',
    conditions: conditionsOf(input, [], 'now'),
    ...(input.pending !== undefined && { pending: input.pending }),
  }
}

const rows: [name: string, Readiness, Partial<ConditionInput>, expected: string | undefined][] = [
  ['well', well, {}, undefined],
  ['starting', starting, {}, undefined],
  ['stopped, with its start due', { ready: false, reason: 'Stopped', message: 'stopped' }, {}, undefined],
  ['in a crash loop', crashing, {}, 'crash loop: it exited with code 3'],
  ['unhealthy', ill, {}, 'running, but its health check fails'],
  ['failed for good', { ready: false, reason: 'Failed', message: 'failed: exit code 1' }, {}, 'failed: exit code 1'],
  ['blocked', well, { blocked: 'declare adopt: true' }, 'declare adopt: true'],
  ['failing repeatedly', well, { failures: 3, lastError: 'did not last: start' }, 'did not last: start'],
  ['suspended and failing', ill, { suspended: true }, 'running, but its health check fails'],
  ['suspended and healthy', well, { suspended: true }, undefined],
  ['suspended and drifted', well, { suspended: true, pending: 'to do: start' }, 'suspended; to do: start'],
  ['undeclared', { ready: false, reason: 'Undeclared', message: 'no manifest declares it' }, {}, undefined],
]
test.each(rows)('PITFALLS 15: messages of a facility that is %s', (_, readiness, input, expected) => {
  const { lines, note } = openLog()
  note(readiness, input)
  expect(lines).toEqual(expected === undefined ? [] : [`warn web: not as declared: ${expected}`])
})

test('PITFALLS 15: a trouble is logged at its begin, as a reminder now and then, and at its end', async () => {
  const { clock, lines, fields, note } = openLog()
  for (let pass = 0; pass < 240; pass += 1) {
    note(ill)
    await clock.advance(30_000)
  }
  expect(lines).toEqual([
    'warn web: not as declared: running, but its health check fails',
    'warn web: still not as declared: running, but its health check fails',
  ])
  expect(fields[0]).toEqual({ facility: 'web', reason: 'Unhealthy' })
  note(well)
  await clock.advance(OVER_AFTER)
  expect(lines.slice(2)).toEqual(['info web: as declared again'])
  await clock.advance(HOUR)
  note(well)
  expect(lines).toHaveLength(3)
  note(ill)
  expect(lines.slice(3)).toEqual(['warn web: not as declared: running, but its health check fails'])
})

test('PITFALLS 15: a trouble that comes and goes is logged once, and its end when it stays well', async () => {
  const { clock, lines, log, note } = openLog()
  for (let turn = 0; turn < 50; turn += 1) {
    note(crashing)
    await clock.advance(1_000)
    note(starting)
    note(well)
    await clock.advance(OVER_AFTER - 1)
  }
  note(starting)
  await clock.advance(OVER_AFTER)
  expect(lines).toEqual(['warn web: not as declared: crash loop: it exited with code 3'])
  expect(log.size).toBe(1)
  note(well)
  await clock.advance(OVER_AFTER)
  expect(lines).toHaveLength(2)
  expect(log.size).toBe(0)
})

test('another reason is logged too, each once', () => {
  const { lines, note } = openLog()
  for (const readiness of [ill, crashing, ill, crashing]) note(readiness)
  expect(lines).toEqual([
    'warn web: not as declared: running, but its health check fails',
    'warn web: not as declared: crash loop: it exited with code 3',
  ])
})

test('a newer manifest that fixes nothing is logged once it has been applied', () => {
  const { lines, note } = openLog()
  note(ill)
  note(ill, { digest: 'two', underWay: 'restart' })
  expect(lines).toHaveLength(1)
  note(starting, { digest: 'two' })
  note(ill, { digest: 'two' })
  note(ill, { digest: 'two' })
  expect(lines).toHaveLength(2)
})

test("the end of a removed facility's trouble is not logged", async () => {
  const { clock, lines, log, note } = openLog()
  note(ill)
  note(well)
  log.note([], () => undefined)
  await clock.advance(OVER_AFTER)
  expect(lines).toEqual(['warn web: not as declared: running, but its health check fails'])
  expect(clock.pending).toBe(0)
})

test('PITFALLS 15: drift of a suspended facility is logged once, and its end', async () => {
  const { clock, lines, note } = openLog()
  for (let pass = 0; pass < 5; pass += 1) note(well, { suspended: true, pending: 'to do: start' })
  note(well, { suspended: true })
  await clock.advance(OVER_AFTER)
  expect(lines).toEqual(['warn web: not as declared: suspended; to do: start', 'info web: as declared again'])
})

test('a disposed log leaves no timer', () => {
  const { clock, log, note } = openLog()
  note(ill)
  note(well)
  expect(clock.pending).toBe(1)
  log[Symbol.dispose]()
  expect(clock.pending).toBe(0)
})
