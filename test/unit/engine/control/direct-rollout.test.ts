import { expect, test } from 'vitest'
import { type ApplyOutcome, emptyOutcome } from '../../../../src/core/contracts/apply-outcome.ts'
import type { Plan } from '../../../../src/core/plan/step.ts'
import { type DirectSettling, settleDirectly } from '../../../../src/engine/control/direct-rollout.ts'
import type { Look } from '../../../../src/engine/rollout/look.ts'
import { createManualClock } from '../../../tools/manual-clock.ts'

const summary = { add: 0, change: 0, repair: 0, remove: 0, unchanged: 0, blocked: 0 }
const plan: Plan = { formatVersion: 1, digest: '', facilities: [], summary, diagnostics: [] }
const done: ApplyOutcome = { ...emptyOutcome(plan), stepsDone: 3 }

/** A revision that is under way for ever, until it is stuck. */
function createLab(judged: () => void, signal = new AbortController().signal) {
  const pauses: number[] = []
  const clock = createManualClock()
  let isStuck = false
  const ground: DirectSettling = {
    rollout: {
      source: { revision: () => undefined },
      status: () => ({
        rollout: { commit: 'a', subject: '', outcome: 'Progressing', since: '' },
        condition: { reason: 'UpToDate', message: '', since: '' },
      }),
      judge: async () => judged(),
      isBusy: () => true,
      isOpen: () => true,
      isStuck: () => isStuck,
      gate: () => undefined,
    } as unknown as DirectSettling['rollout'],
    due: () => 0,
    clock: {
      ...clock,
      async sleep(duration) {
        signal.throwIfAborted()
        isStuck = pauses.push(duration) === 3
      },
    },
    signal,
    look: async () => ({ plan }) as unknown as Look,
    apply: async () => done,
  }
  return { pauses, settle: () => settleDirectly(ground, done) }
}

test('an apply that waits for a stalled revision looks now and then, and gives up once that is stuck', async () => {
  const lab = createLab(() => {})
  expect((await lab.settle()).revision?.outcome).toBe('Progressing')
  expect(lab.pauses).toEqual([100, 100, 100])
})

test('an apply that is interrupted while it waits tells what it has done', async () => {
  const stop = new AbortController()
  const lab = createLab(() => stop.abort(), stop.signal)
  expect((await lab.settle()).stepsDone).toBe(3)
})
