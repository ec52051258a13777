import { expect, test } from 'vitest'
import {
  type FacilityRollout,
  type FacilityRules,
  type RolloutConfiguration,
  rulesFor,
  unavailableLimit,
} from '../../../../src/core/model/rollout.ts'

const host: RolloutConfiguration = {
  strategy: 'all',
  minHealthyTime: 10,
  healthyDeadline: 300,
  progressDeadline: 600,
  onFailure: 'rollback',
  allowHold: true,
  keepReachable: true,
}

test.each<[title: string, asked: FacilityRollout, rules: Partial<FacilityRules>, host?: Partial<RolloutConfiguration>]>(
  [
    ['nothing', {}, { minHealthyTime: 10, healthyDeadline: 300, onFailure: 'rollback' }],
    ['a longer time', { minHealthyTime: 20 }, { minHealthyTime: 20 }],
    ['a shorter time', { minHealthyTime: 5 }, { minHealthyTime: 10 }],
    ['another deadline', { healthyDeadline: 500 }, { healthyDeadline: 500 }],
    ['a deadline beyond that of progress', { healthyDeadline: 900 }, { healthyDeadline: 600 }],
    ['to be held', { onFailure: 'hold' }, { onFailure: 'hold' }],
    ['to be held, which the host forbids', { onFailure: 'hold' }, { onFailure: 'rollback' }, { allowHold: false }],
    ['to be held where the host goes on', { onFailure: 'hold' }, { onFailure: 'continue' }, { onFailure: 'continue' }],
    ['to go on', { onFailure: 'continue' }, { onFailure: 'rollback' }],
    ['to go back where the host holds', { onFailure: 'rollback' }, { onFailure: 'hold' }, { onFailure: 'hold' }],
  ],
)('a facility that asks for %s gets what the host allows', (_title, asked, rules, more) => {
  expect(rulesFor({ ...host, ...more }, asked)).toMatchObject(rules)
})

test.each([
  ['all', Number.POSITIVE_INFINITY],
  ['one-by-one', 1],
  [{ maxUnavailable: 3 }, 3],
] as const)('with the strategy %j, at most %d facilities are unavailable', (strategy, limit) => {
  expect(unavailableLimit({ strategy })).toBe(limit)
})
