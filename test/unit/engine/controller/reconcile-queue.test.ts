import { expect, test } from 'vitest'
import { createReconcileQueue } from '../../../../src/engine/controller/reconcile-queue.ts'
import { createManualClock } from '../../../tools/manual-clock.ts'

const never = new AbortController().signal

test('E1: hints that arrive together cause one pass, whatever their order and number', async () => {
  const clock = createManualClock()
  const wake = createReconcileQueue(clock)
  const due = wake.next(never)
  for (let i = 0; i < 100; i += 1) wake.facility('web')
  wake.facility('db')
  wake.full()
  await clock.advance(5)
  expect(await due).toEqual({ manifests: false, full: true, facilities: new Set(['web', 'db']) })
})

test('E1: a hint during a pass causes another pass', async () => {
  const clock = createManualClock()
  const wake = createReconcileQueue(clock)
  wake.manifests()
  const first = wake.next(never)
  await clock.advance(5)
  expect(await first).toEqual({ manifests: true, full: true, facilities: new Set() })
  wake.facility('web')
  const second = wake.next(never)
  await clock.advance(5)
  expect(await second).toEqual({ manifests: false, full: false, facilities: new Set(['web']) })
})

test('without a hint the loop sleeps, and its signal ends the sleep', async () => {
  const clock = createManualClock()
  const wake = createReconcileQueue(clock)
  const ending = new AbortController()
  const due = wake.next(ending.signal)
  await clock.advance(60_000)
  expect(clock.pending).toBe(0)
  ending.abort(new Error('over'))
  await expect(due).rejects.toThrow('over')
  await expect(wake.next(ending.signal)).rejects.toThrow('over')
})
