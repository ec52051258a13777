import { describe, expect, test } from 'vitest'
import type { Facility } from '../../../../src/core/model/facility.ts'
import { findContradictions } from '../../../../src/core/plan/contradiction.ts'
import type { RelationKind, ServiceTies } from '../../../../src/core/state/relation.ts'
import { plainFacility } from '../../../tools/plain-facility.ts'

const one = (name: string, more: Partial<Facility> = {}): Facility =>
  plainFacility({ name, supervisor: 'lab', ...more })

function ties(own: Readonly<Record<string, Partial<ServiceTies>>>): Map<string, ServiceTies> {
  const entries = Object.entries(own).map(([name, more]): [string, ServiceTies] => [
    `lab/${name}`,
    { identities: [name], relations: [], ...more },
  ])
  return new Map(entries)
}

const related = (kind: RelationKind) => ties({ a: { relations: [{ kind, to: 'b', how: 'HOW' }] }, b: {} })

type State = Facility['state']

describe('E21: a contradiction', () => {
  const states: readonly State[] = ['running', 'stopped', 'unmanaged']
  const bad: Readonly<Record<string, readonly string[]>> = {
    conflicts: ['running running'],
    starts: ['running stopped'],
    'stops-with': ['running stopped'],
  }
  for (const kind of ['conflicts', 'starts', 'stops-with'] as const) {
    test(kind, () => {
      const found = states.flatMap(a =>
        states.flatMap(b => {
          const told = findContradictions([one('a', { state: a }), one('b', { state: b })], related(kind))
          expect([...told.keys()].sort()).toEqual(told.size > 0 ? ['a', 'b'] : [])
          return told.size > 0 ? [`${a} ${b}`] : []
        }),
      )
      expect(found).toEqual(bad[kind])
    })
  }

  test('of enables is found between enabled and disabled', () => {
    const values = [true, false, 'unmanaged'] as const
    const found = values.flatMap(a =>
      values.flatMap(b =>
        findContradictions([one('a', { enabled: a }), one('b', { enabled: b })], related('enables')).size > 0
          ? [`${a} ${b}`]
          : [],
      ),
    )
    expect(found).toEqual(['true false', 'false true'])
  })

  test('is found where two facilities mean one service, even if one is suspended or unmanaged', () => {
    const same = ties({ a: { identities: ['x', 'y'], alias: 'a is x' }, b: { identities: ['y'] } })
    for (const more of [{}, { state: 'unmanaged' }, { suspend: true }] as const) {
      expect([...findContradictions([one('a'), one('b', more)], same)]).toEqual([
        ['a', 'it is the same service as that of facility b (a is x): declare one facility for it'],
        ['b', 'it is the same service as that of facility a (a is x): declare one facility for it'],
      ])
    }
  })

  test('is not found with a suspended facility', () => {
    expect(findContradictions([one('a'), one('b', { suspend: true })], related('conflicts')).size).toBe(0)
    expect(findContradictions([one('a', { suspend: true }), one('b')], related('conflicts')).size).toBe(0)
  })

  test('is reported once for each pair, by its most important relation', () => {
    const both = ties({
      a: {
        relations: [
          { kind: 'stops-with', to: 'b', how: 'SECOND' },
          { kind: 'starts', to: 'b', how: 'FIRST' },
          { kind: 'starts', to: 'c', how: 'OTHER' },
          { kind: 'starts', to: 'nobody', how: 'OTHER' },
        ],
      },
      b: {},
      c: {},
    })
    const stopped = { state: 'stopped' } as const
    const told = findContradictions([one('c', stopped), one('a'), one('b', stopped)], both)
    expect(told.get('a')).toMatch(/^it starts facility b, .* FIRST\..*; it starts facility c, .* OTHER\./)
    expect(told.get('a')).not.toContain('SECOND')
    expect(told.get('c')).toMatch(/facility a, which is declared running, starts it: OTHER/)
  })
})
