import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { beat } from '../../../src/host/common-beat.ts'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

test('subscribers that began at different times beat together, and at multiples of the interval', () => {
  const moments: Record<'one' | 'other' | 'slow', number[]> = { one: [], other: [], slow: [] }
  const now = (): number => Math.round(performance.now())
  vi.advanceTimersByTime(130)
  using _one = beat(500, () => moments.one.push(now()))
  vi.advanceTimersByTime(210)
  using _other = beat(500, () => moments.other.push(now()))
  using _slow = beat(2_000, () => moments.slow.push(now()))
  vi.advanceTimersByTime(6_000)
  expect(moments.other.length).toBeGreaterThanOrEqual(11)
  expect(moments.one.slice(-11)).toEqual(moments.other.slice(-11))
  expect(moments.slow.length).toBeGreaterThanOrEqual(2)
  expect(moments.one).toEqual(expect.arrayContaining(moments.slow))
})

test('a disposed subscriber beats no more', () => {
  let count = 0
  const beating = beat(500, () => {
    count += 1
  })
  vi.advanceTimersByTime(2_000)
  beating[Symbol.dispose]()
  const before = count
  vi.advanceTimersByTime(2_000)
  expect([before > 0, count]).toEqual([true, before])
})
