import { expect, test } from 'vitest'
import { REMOVAL_SETTLING } from '../../../../src/core/reconcile/decide.ts'
import { createPruneDelay } from '../../../../src/engine/controller/prune-delay.ts'
import { createManualClock } from '../../../tools/manual-clock.ts'

// E9: a manifest has to have been gone for a while, in every look, before its service goes too.

function createBench() {
  const clock = createManualClock()
  const dues: number[] = []
  const watch = createPruneDelay(clock, () => dues.push(clock.elapsed()))
  return { clock, dues, watch }
}

test('when what is missing is certain to be gone, a look is due; the wall clock has no say', async () => {
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

test('what was there in between begins anew; looks at the same wake nobody twice', async () => {
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

test('at its end nobody is woken any more', async () => {
  const { clock, dues, watch } = createBench()
  watch.note(new Set(['web']))
  watch[Symbol.dispose]()
  await clock.advance(REMOVAL_SETTLING)
  expect(dues).toEqual([])
})
