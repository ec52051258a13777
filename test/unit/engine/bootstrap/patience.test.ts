import { expect, test } from 'vitest'
import { type Hindrance, keepTrying } from '../../../../src/engine/bootstrap/patience.ts'
import { createManualClock } from '../../../tools/manual-clock.ts'

const hindrance = { reason: 'Unreachable', message: 'nobody answers' }

test('attempts come ever more rarely until one gives a value', async () => {
  const clock = createManualClock()
  const begin = clock.elapsed()
  const times: number[] = []
  const told: Hindrance[] = []
  const value = await clock.advanceUntil(
    keepTrying(
      async () => {
        times.push(clock.elapsed() - begin)
        return times.length === 9 ? { value: 'read' } : { hindrance }
      },
      { clock, signal: new AbortController().signal, timeout: 600_000, onHindrance: each => told.push(each) },
    ),
  )
  expect(value).toBe('read')
  expect(times).toEqual([0, 2_000, 5_000, 9_500, 16_250, 26_375, 41_375, 56_375, 71_375])
  expect(told.length).toBe(8)
  expect(clock.pending).toBe(0)
})

test('at the timeout it is given up with the last cause, at an interruption without; other errors pass', async () => {
  const clock = createManualClock()
  const interruption = new AbortController()
  const options = { clock, signal: interruption.signal, timeout: 60_000, onHindrance() {} }
  await expect(clock.advanceUntil(keepTrying(async () => ({ hindrance }), options))).rejects.toThrow(
    'given up after 1m (nobody answers); run the command again to go on from here',
  )
  const hanging = keepTrying(signal => new Promise((_, reject) => signal.addEventListener('abort', reject)), options)
  interruption.abort()
  await expect(hanging).rejects.toMatchObject({ code: 'aborted' })
  const fresh = { ...options, signal: new AbortController().signal }
  await expect(
    keepTrying(async () => {
      throw new Error('a mistake')
    }, fresh),
  ).rejects.toThrow('a mistake')
  expect(clock.pending).toBe(0)
})
