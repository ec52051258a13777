import { expect, test } from 'vitest'
import type { FacilityStatus } from '../../../../src/core/contracts/status.ts'
import type { Facility } from '../../../../src/core/model/facility.ts'
import { type Look, standingsOf } from '../../../../src/engine/rollout/look.ts'
import type { RevisionRecord } from '../../../../src/engine/rollout/revision-record.ts'
import { resolveFacility } from '../../../simulation/declaration.ts'

const blocked = (name: string): FacilityStatus => ({
  ...{ name, supervisor: 'alpha', service: name, state: 'stopped', enabled: true, pid: null, since: null },
  ...{ health: 'none', restarts: 0 },
  conditions: [{ type: 'Ready', status: 'False', reason: 'Blocked', message: 'blocked', since: '' }],
})

/** `web` depends on `api`, which depends on `db`; `other` on nothing. All are blocked. */
const facilities: readonly Facility[] = [
  { name: 'web', dependsOn: ['api'] },
  { name: 'api', dependsOn: ['db'] },
  { name: 'db' },
  { name: 'other' },
].map(declaration => resolveFacility(declaration).facility)

function kindsOf(look: Partial<Look>, names: readonly string[] = ['web', 'api', 'db', 'other']): readonly string[] {
  const base = { hasWork: () => false, hindered: new Set(), unavailable: new Map(), applied: new Map() }
  const found = { ...base, facilities: facilities.map(({ name }) => blocked(name)), ...look } as unknown as Look
  const standings = standingsOf(
    { changed: names } as unknown as RevisionRecord,
    found,
    new Map(facilities.map(facility => [facility.name, facility])),
  )
  return [...standings].map(([name, { kind }]) => `${name} ${kind}`)
}

test('a block is the fault of the revision where nothing on the host keeps the facility from starting', () => {
  expect(kindsOf({})).toEqual(['web failed', 'api failed', 'db failed', 'other failed'])
})

test('what the host lacks stalls the facility and those that depend on it, and excuses no other', () => {
  expect(kindsOf({ hindered: new Set(['db']) })).toEqual(['web stalled', 'api stalled', 'db stalled', 'other failed'])
  expect(kindsOf({ hindered: new Set(['web']) })).toEqual(['web stalled', 'api failed', 'db failed', 'other failed'])
})

test('a supervisor that does not answer stalls what is or was under it', () => {
  const applied = new Map([['db', { supervisor: 'beta' }]]) as unknown as Look['applied']
  const unavailable = new Map([['beta', 'it is down']])
  expect(kindsOf({ applied, unavailable })).toEqual(['web stalled', 'api stalled', 'db stalled', 'other failed'])
  expect(kindsOf({ unavailable: new Map([['alpha', 'it is down']]) }).every(text => text.endsWith('stalled'))).toBe(
    true,
  )
})

test('a removed facility is not gone while its supervisor does not answer', () => {
  const applied = new Map([['gone', { supervisor: 'beta' }]]) as unknown as Look['applied']
  expect(kindsOf({ applied, unavailable: new Map([['beta', 'it is down']]) }, ['gone'])).toEqual(['gone stalled'])
  expect(kindsOf({ applied }, ['gone'])).toEqual(['gone ready'])
})
