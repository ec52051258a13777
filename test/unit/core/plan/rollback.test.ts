import { describe, expect, test } from 'vitest'
import { planRollback, rollbackAfter } from '../../../../src/core/plan/rollback.ts'
import type { FacilityPlan, Rollback } from '../../../../src/core/plan/step.ts'
import { createStepBuilder } from '../../../../src/core/plan/step-builder.ts'
import { resolveFacility } from '../../../simulation/declaration.ts'

const old = { supervisor: 'beta', service: 'olden' }
const web = resolveFacility({ name: 'web' })

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

function rollbackOf(plan: FacilityPlan, target = web): Rollback {
  const rollback = planRollback(plan, target)
  if (!rollback) throw new Error('expected a rollback')
  return rollback
}

describe('E14: the rollback of a move', () => {
  test('stops and disables the new service and starts the old one', () => {
    const stop = { id: 'web/stop', verb: 'stop', reason: 'put-back', needs: [] }
    const disable = { id: 'web/disable', verb: 'disable', reason: 'put-back', needs: ['web/stop'] }
    const start = { id: 'web/start@beta/olden', verb: 'start', reason: 'put-back', target: old }
    expect(rollbackOf(move)).toEqual({
      to: old,
      from: 'web/disable@beta/olden',
      steps: [stop, disable, { ...start, needs: ['web/disable'] }],
    })
    const disabled = resolveFacility({ name: 'web', enabled: false })
    expect(rollbackOf(move, disabled).steps).toEqual([stop, { ...start, needs: ['web/stop'] }])
  })

  test('applies from the first step on the old service', () => {
    const plan = { ...move, rollback: rollbackOf(move) }
    const rolledBack = plan.steps.filter(step => rollbackAfter(plan, step) !== undefined)
    expect(rolledBack).toEqual(move.steps.slice(1))
  })

  test('applies from the start if an earlier attempt has stopped the old service', () => {
    const rest = planOf(chain => {
      chain.add('enable', 'new')
      chain.add('start', 'moved')
      chain.add('remove', 'moved', { target: old })
    })
    expect(rollbackOf(rest)).toEqual({ ...rollbackOf(move), from: 'web/start' })
  })

  test('does not follow a step outside the plan', () => {
    const plan = { ...move, rollback: rollbackOf(move) }
    const [step] = planOf(chain => chain.add('write-file', 'overwritten', { path: '/etc/web' })).steps
    expect(step && rollbackAfter(plan, step)).toBeUndefined()
  })

  test('is absent for a facility that is not moved, no longer declared, or not declared running', () => {
    const removal = planOf(chain => chain.add('remove', 'pruned', { target: old }))
    const half = planOf(chain => chain.add('stop', 'moved', { target: old }))
    expect(planRollback(removal, web)).toBeUndefined()
    expect(planRollback(half, web)).toBeUndefined()
    expect(planRollback(move, undefined)).toBeUndefined()
    expect(planRollback(move, resolveFacility({ name: 'web', state: 'stopped' }))).toBeUndefined()
  })
})
