import { describe, expect, test } from 'vitest'
import type { Plan } from '../../../../src/core/plan/step.ts'
import type { ServiceTies } from '../../../../src/core/state/relation.ts'
import type { Declaration } from '../../../simulation/declaration.ts'
import { asDeclared, facilityIn, madeFrom, notThere, planCases } from '../../../simulation/planning-case.ts'

const plain = (key: string): ServiceTies => ({ identities: [key], relations: [] })

const ties = { 'alpha/old': plain('alpha/old'), 'alpha/web': plain('alpha/web') }

const formerTies: Record<string, ServiceTies> = {
  'alpha/old': {
    identities: ['alpha/old'],
    relations: [{ kind: 'conflicts', to: 'alpha/web', how: 'old conflicts with web' }],
  },
}

function needsOf(plan: Plan, name: string): readonly string[] | undefined {
  return facilityIn(plan, name).steps.find(({ verb }) => verb === 'start' || verb === 'restart')?.needs
}

describe('E21: a start of a service that a present definition conflicts with', () => {
  const old = (change: Partial<Declaration>) => madeFrom({ name: 'old', ...change }, { name: 'old' })

  test('comes after that definition is replaced, whether its service is restarted or not', () => {
    for (const onChange of ['none', 'restart'] as const) {
      const changed = old({ command: ['/bin/daemon', '2'], onChange })
      const plan = planCases([changed, notThere({ name: 'web', command: ['/bin/web'] })], { ties, formerTies })
      expect(needsOf(plan, 'web')).toEqual(['old/install', 'web/enable'])
    }
  })

  test('waits for nothing if that definition stays, or conflicts with another service', () => {
    const same = planCases([asDeclared({ name: 'old' }), notThere({ name: 'web', command: ['/bin/web'] })], {
      ties,
      formerTies,
    })
    expect(needsOf(same, 'web')).toEqual(['web/enable'])
    const changed = old({ command: ['/bin/daemon', '2'] })
    const other = planCases([changed, notThere({ name: 'other', command: ['/bin/web'] })], {
      ties: { ...ties, 'alpha/other': plain('alpha/other') },
      formerTies,
    })
    expect(needsOf(other, 'other')).toEqual(['other/enable'])
  })
})
