import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { FacilityPlan } from '../../../../src/core/plan/step.ts'
import { findOutOfTurn } from '../../../../src/core/reconcile/rollout-turn.ts'

/** A plan of one step that needs the steps of others. */
const plan = (name: string, ...needs: string[]): FacilityPlan => ({
  name,
  supervisor: 'lab',
  service: name,
  change: 'change',
  steps: [
    { id: `${name}/restart`, verb: 'restart', reason: 'definition-changed', needs: needs.map(n => `${n}/restart`) },
  ],
})

interface Case {
  readonly limit: number
  readonly begun?: readonly string[]
  readonly healthy?: readonly string[]
  readonly busy?: readonly string[]
  readonly done?: readonly string[]
  readonly unchanged?: readonly string[]
}

function turnsOf(
  plans: readonly FacilityPlan[],
  { limit, begun = [], healthy = [], busy = [], done = [], unchanged = [] }: Case,
): string {
  const idle = done.map((name): FacilityPlan => ({ ...plan(name), change: 'none', steps: [] }))
  const facilities = [...plans, ...idle]
  const names = [...facilities.map(({ name }) => name), ...busy].filter(name => !unchanged.includes(name))
  const gate = { changed: new Set(names), healthy: new Set(healthy), begun: new Set(begun), limit }
  const waiting = findOutOfTurn(plans, { facilities, busy: new Set(busy) }, gate)
  return plans.flatMap(({ name }) => (waiting.has(name) ? [] : name)).join(' ')
}

test.each([
  ['one begins at a time', [plan('a'), plan('b'), plan('c')], { limit: 1 }, 'a'],
  ['as many begin as may be unavailable', [plan('a'), plan('b'), plan('c')], { limit: 2 }, 'a b'],
  ['none begins while one is under way', [plan('b'), plan('c')], { limit: 1, busy: ['a'] }, ''],
  ['none begins until one that was changed is healthy', [plan('b'), plan('c')], { limit: 1, done: ['a'] }, ''],
  ['the next begins once it is', [plan('b'), plan('c')], { limit: 1, done: ['a'], healthy: ['a'] }, 'b'],
  ['one that has begun may be tried again', [plan('a'), plan('b')], { limit: 1, begun: ['a'] }, 'a'],
  [
    'what the revision does not change may begin',
    [plan('a'), plan('b'), plan('x')],
    { limit: 1, unchanged: ['x'] },
    'a x',
  ],
  ['a dependency comes before what needs it', [plan('a', 'b'), plan('b')], { limit: 1 }, 'b'],
  ['those that need each other begin together', [plan('a', 'b'), plan('b', 'a'), plan('c')], { limit: 1 }, 'c'],
  ['also where they are more than the limit', [plan('a', 'b'), plan('b', 'a')], { limit: 1 }, 'a b'],
  ['nothing begins in a revision that is held', [plan('a'), plan('b')], { limit: 0 }, ''],
  ['but what it had begun may be tried again', [plan('a'), plan('b')], { limit: 0, begun: ['a'] }, 'a'],
])('%s', (_title, plans, wish, turns) => {
  expect(turnsOf(plans, wish)).toBe(turns)
})

const names = ['a', 'b', 'c', 'd', 'e']
const graphs = fc.tuple(
  ...names.map(name => fc.subarray(names).map(needs => plan(name, ...needs.filter(n => n !== name)))),
)

test('whatever needs whatever, something begins, with all that it needs, until everything has', () => {
  fc.assert(
    fc.property(graphs, fc.integer({ min: 1, max: 6 }), (plans, limit) => {
      let left: readonly FacilityPlan[] = plans
      while (left.length > 0) {
        const begun = new Set(turnsOf(left, { limit }).split(' '))
        expect(begun.size).toBeGreaterThan(0)
        const needed = left
          .filter(({ name }) => begun.has(name))
          .flatMap(({ steps }) => steps.flatMap(({ needs }) => needs))
        const waiting = left.filter(({ name }) => !begun.has(name)).map(({ steps: [step] }) => step?.id)
        for (const id of needed) expect(waiting).not.toContain(id)
        const after = left.filter(({ name }) => !begun.has(name))
        expect(after.length).toBeLessThan(left.length)
        left = after
      }
    }),
  )
})
