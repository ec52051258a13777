import { describe, expect, test } from 'vitest'
import type { ServiceTies } from '../../../../src/core/state/relation.ts'
import type { Declaration } from '../../../simulation/declaration.ts'
import { asDeclared, facilityIn, notThere, ownedAt, planCases } from '../../../simulation/planning-case.ts'

const plain = (key: string): ServiceTies => ({ identities: [key], relations: [] })

describe('E14: a move whose old service', () => {
  const conflictBetween = (own: string, to: string): ServiceTies => ({
    identities: [own],
    relations: [{ kind: 'conflicts', to, how: `${own} conflicts with ${to}` }],
  })
  const conflict = conflictBetween('alpha/queue', 'alpha/web')
  const moving = notThere({ name: 'queue', supervisor: 'beta', port: 80 })
  const rollbackBeside = (web: Declaration, more: Readonly<Record<string, ServiceTies>>) => {
    const { location, key, observed } = ownedAt({ name: 'queue', port: 80 })
    const plan = planCases([moving, asDeclared(web)], {
      owned: [location],
      services: { [key]: observed },
      ties: { 'alpha/queue': plain('alpha/queue'), ...more },
    })
    expect(facilityIn(plan, 'queue').steps.map(({ verb }) => verb)).toContain('remove')
    return facilityIn(plan, 'queue').rollback
  }

  test('E21: stops another facility when it starts has no rollback, whichever of the two declares the conflict', () => {
    expect(
      rollbackBeside({ name: 'web' }, { 'alpha/queue': conflict, 'alpha/web': plain('alpha/web') }),
    ).toBeUndefined()
    expect(
      rollbackBeside({ name: 'web' }, { 'alpha/web': conflictBetween('alpha/web', 'alpha/queue') }),
    ).toBeUndefined()
  })

  test('stops another that is declared stopped, or its own new one, has one', () => {
    const known = { 'alpha/queue': conflict, 'alpha/web': plain('alpha/web') }
    expect(rollbackBeside({ name: 'web', state: 'stopped' }, known)).toBeDefined()
    const own = { 'alpha/queue': conflictBetween('alpha/queue', 'beta/queue'), 'beta/queue': plain('beta/queue') }
    expect(rollbackBeside({ name: 'web' }, own)).toBeDefined()
  })

  test('stops one that runs and is suspended has no rollback', () => {
    const known = { 'alpha/queue': conflict, 'alpha/web': plain('alpha/web') }
    expect(rollbackBeside({ name: 'web', suspend: true }, known)).toBeUndefined()
    expect(rollbackBeside({ name: 'web', suspend: true, state: 'stopped' }, known)).toBeDefined()
  })

  test('E24: listens where another is to listen has no rollback', () => {
    expect(rollbackBeside({ name: 'web', port: 80 }, {})).toBeUndefined()
    expect(rollbackBeside({ name: 'web', port: 81 }, {})).toBeDefined()
    expect(rollbackBeside({ name: 'web', port: 80, state: 'stopped' }, {})).toBeDefined()
    expect(rollbackBeside({ name: 'web', port: 80, problems: ['it is blocked'] }, {})).toBeDefined()
  })
})
