import { expect, test } from 'vitest'
import { createClock } from '../../../src/host/clock.ts'
import { createManualClock } from '../../tools/manual-clock.ts'

test('an aborted sleep rejects with the reason, before or while it lasts', async () => {
  const reason = new Error('overtaken')
  const controller = new AbortController()
  for (const clock of [createClock(), createManualClock()]) {
    const sleeping = clock.sleep(60_000, controller.signal)
    controller.abort(reason)
    await expect(sleeping).rejects.toBe(reason)
    await expect(clock.sleep(60_000, controller.signal)).rejects.toBe(reason)
  }
})

test('a disposed timer does not fire', async () => {
  const fired: string[] = []
  const clock = createClock()
  clock.after(0, () => fired.push('disposed'))[Symbol.dispose]()
  clock.after(0, () => fired.push('kept'))
  await clock.sleep(5)
  expect(fired).toEqual(['kept'])
})

test('no timer fires early, not even by a fraction of a millisecond', async () => {
  const clock = createClock()
  for (let count = 0; count < 50; count += 1) {
    const began = clock.elapsed()
    await clock.sleep(2)
    expect(clock.elapsed() - began).toBeGreaterThanOrEqual(2)
  }
})

test('the manual clock fires in order of time, including timers set meanwhile', async () => {
  const clock = createManualClock(0)
  const fired: string[] = []
  const note = (name: string): void => void fired.push(`${name} at ${clock.now()}`)
  clock.after(30, () => note('c'))
  clock.after(10, () => {
    note('a')
    clock.after(10, () => note('b'))
  })
  clock.after(10, () => note('dropped'))[Symbol.dispose]()
  await clock.advance(30)
  expect(fired).toEqual(['a at 10', 'b at 20', 'c at 30'])
  expect(clock.pending).toBe(0)
})
