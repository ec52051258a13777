import { expect, test } from 'vitest'
import type { Change, FacilityPlan, Plan } from '../../../src/core/plan/step.ts'
import type { OwnedLocation, Snapshot } from '../../../src/core/state/snapshot.ts'
import { admitRemovals, createPruneDelay, REMOVAL_SETTLING } from '../../../src/engine/controller/prune-delay.ts'
import { createManualClock } from '../../tools/manual-clock.ts'

// E9: a manifest has to have been gone for a while, in every look, before its service goes too.

function createBench() {
  const clock = createManualClock()
  const dues: number[] = []
  const watch = createPruneDelay(clock, () => dues.push(clock.elapsed()))
  return { clock, dues, watch }
}

test('what is missing is settled after so long, and that is when it is looked at again', async () => {
  const { clock, dues, watch } = createBench()
  const began = clock.elapsed()
  watch.note(new Set(['web']))
  await clock.advance(REMOVAL_SETTLING - 1)
  expect([watch.isSettled('web'), dues]).toEqual([false, []])
  await clock.advance(1)
  expect([watch.isSettled('web'), dues]).toEqual([true, [began + REMOVAL_SETTLING]])
  expect(watch.isSettled('db')).toBe(false)
})

test('what was there in between begins anew; looks at the same wake nobody twice', async () => {
  const { clock, dues, watch } = createBench()
  watch.note(new Set(['web', 'db']))
  await clock.advance(1_500)
  watch.note(new Set(['db']))
  watch.note(new Set(['db']))
  await clock.advance(500)
  expect([watch.isSettled('web'), watch.isSettled('db'), dues.length]).toEqual([false, true, 1])
  watch.note(new Set(['web', 'db']))
  await clock.advance(REMOVAL_SETTLING)
  expect([watch.isSettled('web'), dues.length]).toEqual([true, 2])
})

test('at its end nobody is woken any more', async () => {
  const { clock, dues, watch } = createBench()
  watch.note(new Set(['web']))
  watch[Symbol.dispose]()
  await clock.advance(REMOVAL_SETTLING)
  expect(dues).toEqual([])
})

function facility(name: string, change: Change): FacilityPlan {
  return { name, supervisor: 'alpha', service: name, change, steps: [] }
}

function owned(facility: string, owner = 'default'): OwnedLocation {
  return {
    supervisor: 'alpha',
    service: facility,
    ownership: { owner, facility, files: [], dependsOn: [], prune: true },
  }
}

test('only removals wait, and too many of them go nowhere', async () => {
  const { clock, watch } = createBench()
  const kept = facility('kept', 'change')
  const gone = ['a', 'b', 'c'].map(name => facility(name, 'remove'))
  const plan = { facilities: [kept, ...gone] } as const satisfies Pick<Plan, 'facilities'>
  const names = ['kept', 'a', 'b', 'c']
  const snapshot: Pick<Snapshot, 'owned'> = { owned: [...names.map(name => owned(name)), owned('other', 'stranger')] }
  const admit = (count: number, allowRemovals = 0) =>
    admitRemovals(plan, snapshot, watch, {
      owner: 'default',
      removalLimit: { count, fraction: 0.5 },
      allowRemovals,
      command: 'reeve apply',
    })
  expect(admit(3)).toEqual({ facilities: [kept] })
  await clock.advance(REMOVAL_SETTLING)
  expect(admit(3)).toEqual({ facilities: [kept, ...gone] })
  const refused = admit(2)
  expect(refused.facilities).toEqual([kept])
  expect(refused.problem).toContain('3 of the 4 owned facilities would be removed')
  expect(admit(2, 3)).toEqual({ facilities: [kept, ...gone] })
})

test('without removals all goes ahead, and what was missing is forgotten', async () => {
  const { clock, watch } = createBench()
  watch.note(new Set(['web']))
  await clock.advance(REMOVAL_SETTLING)
  const plan = { facilities: [facility('web', 'none')] }
  const settings = {
    owner: 'default',
    removalLimit: { count: 0, fraction: 0 },
    allowRemovals: 0,
    command: 'reeve apply',
  }
  expect(admitRemovals(plan, { owned: [] }, watch, settings)).toEqual({ facilities: plan.facilities })
  expect(watch.isSettled('web')).toBe(false)
})
