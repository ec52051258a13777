import { expect, test } from 'vitest'
import { REMOVAL_SETTLING } from '../../../../src/core/reconcile/decide.ts'
import { createPruneDelay } from '../../../../src/engine/controller/prune-delay.ts'
import { createManualClock } from '../../../tools/manual-clock.ts'

// E9: a manifest has to be missing from every refresh for a while before its service is removed.

function createBench() {
  const clock = createManualClock()
  const dues: number[] = []
  const watch = createPruneDelay(clock, () => dues.push(clock.elapsed()))
  return { clock, dues, watch }
}

test('the watch asks for a refresh when the prune delay ends, by monotonic time', async () => {
  const { clock, dues, watch } = createBench()
  const began = clock.elapsed()
  watch.note(new Set(['web']))
  clock.step(3_600_000)
  expect([...watch.missingSince]).toEqual([['web', began]])
  clock.step(-7_200_000)
  await clock.advance(REMOVAL_SETTLING - 1)
  expect(dues).toEqual([])
  await clock.advance(1)
  expect(dues).toEqual([began + REMOVAL_SETTLING])
})

test('a facility that reappeared starts its delay anew; equal refreshes wake the loop once', async () => {
  const { clock, dues, watch } = createBench()
  const began = clock.elapsed()
  watch.note(new Set(['web', 'db']))
  await clock.advance(1_500)
  watch.note(new Set(['db']))
  watch.note(new Set(['db']))
  await clock.advance(500)
  expect([[...watch.missingSince], dues.length]).toEqual([[['db', began]], 1])
  watch.note(new Set(['web', 'db']))
  expect(watch.missingSince.get('web')).toBe(began + 2_000)
  await clock.advance(REMOVAL_SETTLING)
  expect(dues.length).toBe(2)
})

test('a disposed watch wakes nothing', async () => {
  const { clock, dues, watch } = createBench()
  watch.note(new Set(['web']))
  watch[Symbol.dispose]()
  await clock.advance(REMOVAL_SETTLING)
  expect(dues).toEqual([])
})
