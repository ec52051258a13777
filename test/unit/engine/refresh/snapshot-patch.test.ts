import { expect, test } from 'vitest'
import type { Observed, ServiceState } from '../../../../src/core/state/observed.ts'
import type { OwnedLocation, Snapshot } from '../../../../src/core/state/snapshot.ts'
import { findOtherPlaces, patchSnapshot } from '../../../../src/engine/refresh/snapshot-patch.ts'
import { makeFacility, markerOf } from '../../../simulation/declaration.ts'

function observed(service: string, state: ServiceState = 'running'): Observed {
  return { service, state, enabled: true, supervised: true }
}

function owned(supervisor: string, facility: string): OwnedLocation {
  return { supervisor, service: facility, ownership: markerOf(makeFacility({ name: facility })) }
}

function snapshotOf(found: Partial<Snapshot>): Snapshot {
  return { services: new Map(), owned: [], unavailable: new Map(), files: new Map(), ...found }
}

function patch(before: Partial<Snapshot>, now: Partial<Snapshot>, asked: readonly string[]): Snapshot {
  return patchSnapshot(snapshotOf(before), snapshotOf(now), new Map(asked.map(name => [name, true])))
}

test('E14: a facility may be where its marker stands, and where it was last applied', () => {
  const snapshot = snapshotOf({ owned: [owned('beta', 'web'), owned('alpha', 'web'), owned('beta', 'db')] })
  const applied = new Map([['web', { supervisor: 'gamma', service: 'web', digest: '', files: [] }]])
  expect(findOtherPlaces([makeFacility({ name: 'web' })], snapshot, applied)).toEqual([
    owned('beta', 'web'),
    { supervisor: 'gamma', service: 'web', digest: '', files: [] },
  ])
})

test('a patch replaces what it observed and keeps the rest', () => {
  const before = {
    services: new Map([
      ['alpha/web', observed('web')],
      ['alpha/db', observed('db')],
    ]),
    owned: [owned('alpha', 'web'), owned('alpha', 'db')],
    unavailable: new Map([['beta', 'it is away']]),
    controllers: [{ supervisor: 'alpha', service: 'reeve' }],
  }
  const { controllers } = before
  const snapshot = patch(before, { services: new Map([['alpha/web', observed('web', 'absent')]]), controllers }, [
    'alpha',
  ])
  expect([...snapshot.services].map(([key, { state }]) => [key, state])).toEqual([
    ['alpha/web', 'absent'],
    ['alpha/db', 'running'],
  ])
  expect(snapshot).toMatchObject({ owned: [owned('alpha', 'db')], unavailable: before.unavailable, controllers })
})

test('E7: a patch drops everything known of a supervisor that is unavailable now', () => {
  const services = new Map([['alpha/web', observed('web')]])
  const away = { unavailable: new Map([['alpha', 'it is away']]) }
  const before = { services, owned: [owned('alpha', 'web')] }
  expect(patch(before, away, ['alpha'])).toMatchObject({ services: new Map(), owned: [], ...away })
  expect([...patch({ ...before, ...away }, { services }, ['alpha']).unavailable]).toEqual([])
})
