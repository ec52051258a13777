import { expect, test } from 'vitest'
import type { FacilityPlan } from '../../../../src/core/plan/step.ts'
import type { Observed, ServiceState } from '../../../../src/core/state/observed.ts'
import type { OwnedLocation, Snapshot } from '../../../../src/core/state/snapshot.ts'
import type { Refresh } from '../../../../src/engine/refresh/refresh.ts'
import { findOtherPlaces, mergeRefreshes, widenScope } from '../../../../src/engine/refresh/refresh-scope.ts'
import { type Declaration, makeFacility, markerOf } from '../../../simulation/declaration.ts'

function byName(...declarations: readonly Declaration[]) {
  return new Map(declarations.map(declaration => [declaration.name, makeFacility(declaration)]))
}

function blocked(name: string): [string, FacilityPlan] {
  return [name, { name, supervisor: 'alpha', service: name, change: 'none', steps: [], blocked: 'it has to wait' }]
}

function observed(service: string, state: ServiceState = 'running'): Observed {
  return { service, state, enabled: true, supervised: true }
}

function owned(supervisor: string, facility: string): OwnedLocation {
  return { supervisor, service: facility, ownership: markerOf(makeFacility({ name: facility })) }
}

function refresh(snapshot: Partial<Snapshot>, asked: readonly string[]): Refresh {
  return {
    targets: [],
    snapshot: { services: new Map(), owned: [], unavailable: new Map(), files: new Map(), ...snapshot },
    availability: new Map(asked.map(name => [name, { available: true }])),
  }
}

test('E1: a partial refresh includes all dependencies of a facility', () => {
  const facilities = byName(
    { name: 'web', dependsOn: ['app'] },
    { name: 'app', dependsOn: ['db'] },
    { name: 'db' },
    { name: 'other', dependsOn: ['web'] },
  )
  expect([...widenScope(new Set(['web']), facilities, new Map())].sort()).toEqual(['app', 'db', 'web'])
  expect([...widenScope(new Set(['db', 'gone']), facilities, new Map())].sort()).toEqual(['db', 'gone'])
})

test('E1: a partial refresh includes dependents that are blocked by a facility, along any chain', () => {
  const facilities = byName(
    { name: 'web', dependsOn: ['app', 'cache'] },
    { name: 'app', dependsOn: ['db'] },
    { name: 'cache' },
    { name: 'db' },
  )
  const plans = new Map([blocked('web'), blocked('app')])
  expect([...widenScope(new Set(['db']), facilities, plans)].sort()).toEqual(['app', 'cache', 'db', 'web'])
})

test('E14: a facility may be where its marker stands and where it was last applied', () => {
  const snapshot = refresh({ owned: [owned('beta', 'web'), owned('alpha', 'web'), owned('beta', 'db')] }, []).snapshot
  const applied = new Map([['web', { supervisor: 'gamma', service: 'web', digest: '', files: [] }]])
  expect(findOtherPlaces([makeFacility({ name: 'web' })], snapshot, applied)).toEqual([
    owned('beta', 'web'),
    { supervisor: 'gamma', service: 'web', digest: '', files: [] },
  ])
})

test('a partial refresh replaces what it observed and keeps the rest', () => {
  const before = refresh(
    {
      services: new Map([
        ['alpha/web', observed('web')],
        ['alpha/db', observed('db')],
      ]),
      owned: [owned('alpha', 'web'), owned('alpha', 'db')],
      unavailable: new Map([['beta', 'it is away']]),
    },
    ['alpha', 'beta'],
  )
  const quick = refresh({ services: new Map([['alpha/web', observed('web', 'absent')]]) }, ['alpha'])
  const { snapshot } = mergeRefreshes(before, quick)
  expect([...snapshot.services].map(([key, { state }]) => [key, state])).toEqual([
    ['alpha/web', 'absent'],
    ['alpha/db', 'running'],
  ])
  expect(snapshot.owned).toEqual([owned('alpha', 'db')])
  expect([...snapshot.unavailable.keys()]).toEqual(['beta'])
})

test('E7: an unavailable supervisor invalidates everything observed there before', () => {
  const before = refresh({ services: new Map([['alpha/web', observed('web')]]), owned: [owned('alpha', 'web')] }, [
    'alpha',
  ])
  const { snapshot } = mergeRefreshes(before, refresh({ unavailable: new Map([['alpha', 'it is away']]) }, ['alpha']))
  expect(snapshot).toMatchObject({ services: new Map(), owned: [], unavailable: new Map([['alpha', 'it is away']]) })
  const back = mergeRefreshes(before, refresh({ services: new Map([['alpha/web', observed('web')]]) }, ['alpha']))
  expect([...back.snapshot.unavailable]).toEqual([])
})
