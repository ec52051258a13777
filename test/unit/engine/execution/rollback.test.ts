import { expect, test } from 'vitest'
import type { FacilityPlan } from '../../../../src/core/plan/step.ts'
import { createStepBuilder } from '../../../../src/core/plan/step-builder.ts'
import { planRollback } from '../../../../src/engine/execution/rollback.ts'
import { resolveFacility } from '../../../simulation/declaration.ts'

// E14: what runs the old service again, when the new one of a move didn't come.

const old = { supervisor: 'beta', service: 'olden' }

function planOf(fill: (chain: ReturnType<typeof createStepBuilder>) => void): FacilityPlan {
  const chain = createStepBuilder('web')
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

function rollback(plan: FacilityPlan, failed: string, target = resolveFacility({ name: 'web' })) {
  const step = plan.steps.find(({ id }) => id === failed)
  if (!step) throw new Error(`expected one of ${plan.steps.map(({ id }) => id).join(', ')}`)
  return planRollback(plan, target, step)
}

const stop = { id: 'web/stop', verb: 'stop', reason: 'put-back', needs: [] }
const disable = { id: 'web/disable', verb: 'disable', reason: 'put-back', needs: [] }
const startOld = { id: 'web/start@beta/olden', verb: 'start', reason: 'put-back', needs: [], target: old }

test('the new one is stopped and does not start at boot, and the old one is started', () => {
  expect(rollback(move, 'web/start')).toEqual({ old, steps: [stop, disable, startOld] })
  const disabled = resolveFacility({ name: 'web', enabled: false })
  expect(rollback(move, 'web/start', disabled)).toEqual({ old, steps: [stop, startOld] })
})

test('from the first step on that touches the old one', () => {
  expect(rollback(move, 'web/install')).toBeUndefined()
  expect(rollback(move, 'web/disable@beta/olden')).toBeDefined()
  expect(rollback(move, 'web/remove@beta/olden')).toBeDefined()
})

test('also where an earlier try has stopped it already', () => {
  const rest = planOf(chain => {
    chain.add('enable', 'new')
    chain.add('start', 'moved')
    chain.add('remove', 'moved', { target: old })
  })
  expect(rollback(rest, 'web/enable')).toBeUndefined()
  expect(rollback(rest, 'web/start')).toEqual({ old, steps: [stop, disable, startOld] })
})

test('nothing is put back of what is no move, is no more declared, or need not run', () => {
  const removal = planOf(chain => chain.add('remove', 'pruned', { target: old }))
  expect(rollback(removal, 'web/remove@beta/olden')).toBeUndefined()
  const half = planOf(chain => chain.add('stop', 'moved', { target: old }))
  expect(rollback(half, 'web/stop@beta/olden')).toBeUndefined()
  expect(rollback(move, 'web/start', resolveFacility({ name: 'web', state: 'stopped' }))).toBeUndefined()
  const [step] = move.steps.slice(-1)
  expect(step && planRollback(move, undefined, step)).toBeUndefined()
})
