import { expect, test } from 'vitest'
import type { FacilityPlan } from '../../../../src/core/plan/step.ts'
import { createStepBuilder } from '../../../../src/core/plan/step-builder.ts'
import { planRollback } from '../../../../src/engine/execution/rollback.ts'
import { resolveFacility } from '../../../simulation/declaration.ts'

// E14: steps that start the old service again if the new one of a move didn't become ready.

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

test('a rollback stops and disables the new service and starts the old one', () => {
  expect(rollback(move, 'web/start')).toEqual({ old, steps: [stop, disable, startOld] })
  const disabled = resolveFacility({ name: 'web', enabled: false })
  expect(rollback(move, 'web/start', disabled)).toEqual({ old, steps: [stop, startOld] })
})

test('a rollback applies from the first step on the old service', () => {
  expect(rollback(move, 'web/install')).toBeUndefined()
  expect(rollback(move, 'web/disable@beta/olden')).toBeDefined()
  expect(rollback(move, 'web/remove@beta/olden')).toBeDefined()
})

test('a rollback applies even if an earlier attempt has stopped the old service', () => {
  const rest = planOf(chain => {
    chain.add('enable', 'new')
    chain.add('start', 'moved')
    chain.add('remove', 'moved', { target: old })
  })
  expect(rollback(rest, 'web/enable')).toBeUndefined()
  expect(rollback(rest, 'web/start')).toEqual({ old, steps: [stop, disable, startOld] })
})

test('no rollback follows for a facility that is not moved, no longer declared, or not declared running', () => {
  const removal = planOf(chain => chain.add('remove', 'pruned', { target: old }))
  expect(rollback(removal, 'web/remove@beta/olden')).toBeUndefined()
  const half = planOf(chain => chain.add('stop', 'moved', { target: old }))
  expect(rollback(half, 'web/stop@beta/olden')).toBeUndefined()
  expect(rollback(move, 'web/start', resolveFacility({ name: 'web', state: 'stopped' }))).toBeUndefined()
  const [step] = move.steps.slice(-1)
  expect(step && planRollback(move, undefined, step)).toBeUndefined()
})
