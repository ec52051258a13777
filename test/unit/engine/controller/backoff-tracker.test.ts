import { describe, expect, test } from 'vitest'
import type { Reason } from '../../../../src/core/plan/reason.ts'
import type { Step } from '../../../../src/core/plan/step.ts'
import { type BackoffTracker, createBackoffTracker } from '../../../../src/engine/controller/backoff-tracker.ts'
import { createManualClock } from '../../../tools/manual-clock.ts'

function step(reason: Reason = 'stopped'): Step {
  return { id: 'web/start', verb: 'start', reason, needs: [] }
}

function isHeld(book: BackoffTracker, facility: string, digest: string): boolean {
  return book.heldUntil(facility, digest) !== undefined
}

function createBench() {
  const clock = createManualClock()
  const due: string[] = []
  const book = createBackoffTracker(
    clock,
    name => due.push(name),
    () => 0,
  )
  return { clock, due, book }
}

test('E11: each consecutive failure doubles the delay, and its end is reported', async () => {
  const { clock, due, book } = createBench()
  for (const [count, wait] of [1_000, 2_000, 4_000, 8_000].entries()) {
    book.failed('web', 'one', 'no luck')
    expect(book.failures('web', 'one')).toEqual({ count: count + 1, message: 'no luck' })
    await clock.advance(wait - 1)
    expect(book.heldUntil('web', 'one')).toBe(clock.elapsed() + 1)
    await clock.advance(1)
    expect(isHeld(book, 'web', 'one')).toBe(false)
    expect(due).toHaveLength(count + 1)
  }
})

test('E11: setting the wall clock neither prolongs nor ends a delay', async () => {
  const { clock, book } = createBench()
  book.failed('web', 'one', 'no luck')
  clock.step(3_600_000)
  expect(isHeld(book, 'web', 'one')).toBe(true)
  clock.step(-7_200_000)
  await clock.advance(1_000)
  expect(isHeld(book, 'web', 'one')).toBe(false)
})

test('E11, PITFALLS 10: the delay never exceeds five minutes, and retries never end', async () => {
  const { clock, due, book } = createBench()
  for (let count = 0; count < 30; count += 1) {
    book.failed('web', 'one', 'no luck')
    await clock.advance(300_000)
    expect(isHeld(book, 'web', 'one')).toBe(false)
  }
  expect(due).toHaveLength(30)
})

test('E11: a new manifest is tried at once and resets the backoff', () => {
  const { book } = createBench()
  for (let count = 0; count < 5; count += 1) book.failed('web', 'one', 'no luck')
  expect(isHeld(book, 'web', 'two')).toBe(false)
  expect(book.failures('web', 'two').count).toBe(0)
  book.failed('web', 'two', 'no luck')
  expect(book.failures('web', 'two').count).toBe(1)
})

test('E11, PITFALLS 10: success resets the backoff', () => {
  const { book } = createBench()
  book.failed('web', 'one', 'no luck')
  book.done('web', 'one', [step()])
  expect(isHeld(book, 'web', 'one')).toBe(false)
  expect(book.failures('web', 'one').count).toBe(0)
})

test('E11: the failure of a definition that was replaced is none of the new one', () => {
  for (const verb of ['install', 'write-file'] as const) {
    const { book } = createBench()
    book.failed('web', 'one', 'no luck')
    const write: Step = { id: `web/${verb}`, verb, reason: 'definition-changed', needs: [] }
    book.done('web', 'two', [write, step('failed')])
    expect(book.failures('web', 'two').count).toBe(0)
  }
})

test('E11: a failed or unhealthy service that was started again counts as failing until it lasts', async () => {
  for (const reason of ['failed', 'unhealthy'] as const) {
    const { clock, book } = createBench()
    book.done('web', 'one', [step(reason)])
    book.done('web', 'one', [step(reason)])
    expect(book.failures('web', 'one').count).toBe(2)
    book.seen('web', true)
    await clock.advance(9_999)
    book.seen('web', true)
    expect(book.failures('web', 'one').count).toBe(2)
    await clock.advance(1)
    book.seen('web', true)
    expect(book.failures('web', 'one').count).toBe(0)
  }
})

test('E11: it has to be as declared all that time', async () => {
  const { clock, book } = createBench()
  book.failed('web', 'one', 'no luck')
  book.seen('web', true)
  await clock.advance(9_000)
  book.seen('web', false)
  await clock.advance(2_000)
  book.seen('web', true)
  await clock.advance(2_000)
  book.failed('web', 'one', 'no luck')
  expect(book.failures('web', 'one').count).toBe(2)
})

test('PITFALLS 15: a facility seen as declared has no failure, though its next delay would still be longer', () => {
  const { book } = createBench()
  for (let count = 0; count < 3; count += 1) book.failed('web', 'one', 'there is no such file')
  book.seen('web', true)
  expect(book.failures('web', 'one')).toEqual({ count: 0, message: undefined })
  book.seen('web', false)
  expect(book.failures('web', 'one')).toEqual({ count: 3, message: 'there is no such file' })
})

test('E11: facilities that need an observation for that are reported', async () => {
  const { clock, due, book } = createBench()
  book.failed('web', 'one', 'no luck')
  book.seen('web', true)
  await clock.advance(10_000)
  expect(due).toEqual(['web'])
})

test('PITFALLS 12: the same step over and over counts as failing, though it succeeds each time', async () => {
  const { clock, book } = createBench()
  book.done('web', 'one', [step()])
  expect(book.failures('web', 'one').count).toBe(0)
  await clock.advance(9_000)
  book.done('web', 'one', [step()])
  expect(book.failures('web', 'one')).toEqual({ count: 1, message: 'did not last: start' })
  expect(isHeld(book, 'web', 'one')).toBe(true)
  await clock.advance(60_000)
  book.done('web', 'one', [step()])
  expect(book.failures('web', 'one').count).toBe(2)
})

describe('E21: facilities that undo one another', () => {
  const message = 'a and b undo each other'
  const undone = { message, isUndone: true }

  function createCircle() {
    const bench = createBench()
    bench.book.undone(['a', 'b'], () => 'one', message)
    return bench
  }

  test('are held together, stalled at once, and retried rarely', async () => {
    const { clock, due, book } = createCircle()
    for (const name of ['a', 'b']) expect(book.failures(name, 'one')).toEqual({ count: 3, ...undone })
    await clock.advance(299_999)
    expect([isHeld(book, 'a', 'one'), isHeld(book, 'b', 'one'), due]).toEqual([true, true, []])
    await clock.advance(1)
    expect([isHeld(book, 'a', 'one'), due]).toEqual([false, ['a', 'b']])
    // The next delay is longer, whatever the outcome of the retry.
    book.done('a', 'one', [{ ...step('failed'), id: 'a/start' }])
    book.failed('b', 'one', 'no luck')
    await clock.advance(599_999)
    for (const name of ['a', 'b']) {
      expect(isHeld(book, name, 'one')).toBe(true)
      expect(book.failures(name, 'one')).toEqual({ count: 4, ...undone })
    }
  })

  test('recover when all of them have been as declared for a while', async () => {
    const { clock, book } = createCircle()
    book.seen('a', true)
    await clock.advance(60_000)
    book.seen('a', true)
    book.seen('b', false)
    expect(book.failures('a', 'one')).toMatchObject(undone)
    book.seen('b', true)
    await clock.advance(10_000)
    book.seen('b', true)
    for (const name of ['a', 'b']) expect(book.failures(name, 'one').count).toBe(0)
  })

  test('are retried at once when the manifest of one changes', () => {
    const { book } = createCircle()
    expect(isHeld(book, 'a', 'two')).toBe(false)
    book.release('a')
    expect(isHeld(book, 'b', 'one')).toBe(false)
    expect(book.failures('b', 'one').count).toBe(0)
  })
})

test('the same step once in a while, or a different step, is no failure', async () => {
  const { clock, book } = createBench()
  book.done('web', 'one', [step()])
  await clock.advance(10_000)
  book.done('web', 'one', [step()])
  book.done('web', 'two', [step()])
  book.done('web', 'two', [{ ...step(), id: 'web/enable', verb: 'enable' }])
  expect(book.failures('web', 'two').count).toBe(0)
})

test('a removed facility is forgotten, with its timer', () => {
  const { clock, book } = createBench()
  book.failed('web', 'one', 'no luck')
  book.failed('db', 'one', 'no luck')
  book.keep(new Set(['db']))
  expect(book.failures('web', 'one').count).toBe(0)
  expect(isHeld(book, 'db', 'one')).toBe(true)
  expect(clock.pending).toBe(1)
  book[Symbol.dispose]()
  expect(clock.pending).toBe(0)
})
