import { expect, test } from 'vitest'
import type { FacilityPlan } from '../../src/core/step.ts'
import { createStepChain } from '../../src/core/step-chain.ts'
import { planPutBack } from '../../src/engine/put-back.ts'
import { makeTarget } from '../simulation/declaration.ts'

// E14: what runs the old service again, when the new one of a move didn't come.

const old = { supervisor: 'beta', service: 'olden' }

function planOf(fill: (chain: ReturnType<typeof createStepChain>) => void): FacilityPlan {
  const chain = createStepChain('web')
  fill(chain)
  return { name: 'web', supervisor: 'alpha', service: 'web', change: 'change', steps: chain.steps }
}

const move = planOf(chain => {
  chain.add('install', 'new')
  chain.add('disable', 'moved', { target: old })
  chain.add('stop', 'moved', { target: old })
  chain.add('enable', 'new')
  chain.add('start', 'moved')
  chain.add('remove', 'moved', { target: old })
})

function putBack(plan: FacilityPlan, failed: string, target = makeTarget({ name: 'web' })) {
  const step = plan.steps.find(({ id }) => id === failed)
  if (!step) throw new Error(`expected one of ${plan.steps.map(({ id }) => id).join(', ')}`)
  return planPutBack(plan, target, step)
}

const stop = { id: 'web/stop', verb: 'stop', reason: 'put-back', needs: [] }
const disable = { id: 'web/disable', verb: 'disable', reason: 'put-back', needs: [] }
const startOld = { id: 'web/start@beta/olden', verb: 'start', reason: 'put-back', needs: [], target: old }

test('the new one is stopped and does not start at boot, and the old one is started', () => {
  expect(putBack(move, 'web/start')).toEqual({ old, steps: [stop, disable, startOld] })
  const disabled = makeTarget({ name: 'web', enabled: false })
  expect(putBack(move, 'web/start', disabled)).toEqual({ old, steps: [stop, startOld] })
})

test('from the first step on that touches the old one', () => {
  expect(putBack(move, 'web/install')).toBeUndefined()
  expect(putBack(move, 'web/disable@beta/olden')).toBeDefined()
  expect(putBack(move, 'web/remove@beta/olden')).toBeDefined()
})

test('also where an earlier try has stopped it already', () => {
  const rest = planOf(chain => {
    chain.add('enable', 'new')
    chain.add('start', 'moved')
    chain.add('remove', 'moved', { target: old })
  })
  expect(putBack(rest, 'web/enable')).toBeUndefined()
  expect(putBack(rest, 'web/start')).toEqual({ old, steps: [stop, disable, startOld] })
})

test('nothing is put back of what is no move, is no more declared, or need not run', () => {
  const removal = planOf(chain => chain.add('remove', 'pruned', { target: old }))
  expect(putBack(removal, 'web/remove@beta/olden')).toBeUndefined()
  const half = planOf(chain => chain.add('stop', 'moved', { target: old }))
  expect(putBack(half, 'web/stop@beta/olden')).toBeUndefined()
  expect(putBack(move, 'web/start', makeTarget({ name: 'web', state: 'stopped' }))).toBeUndefined()
  const [step] = move.steps.slice(-1)
  expect(step && planPutBack(move, undefined, step)).toBeUndefined()
})
