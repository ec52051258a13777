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

test.each([
  ['a chain', (index: number) => (index === 0 ? [] : [`f${index - 1}`])],
  ['dependents of one', (index: number) => (index === 0 ? [] : ['f0'])],
])('S12: %s of 20,000 facilities is judged in a time linear in their number', (_what, dependenciesOf) => {
  const many = Array.from({ length: 20_000 }, (_, index) => ({ name: `f${index}`, dependsOn: dependenciesOf(index) }))
  const look = { hasWork: () => false, hindered: new Set(['f0']), unavailable: new Map(), applied: new Map() }
  const statuses = many.map(({ name }) => blocked(name))
  const before = process.cpuUsage()
  const standings = standingsOf(
    { changed: many.map(({ name }) => name) } as unknown as RevisionRecord,
    { ...look, facilities: statuses } as unknown as Look,
    new Map(many.map(facility => [facility.name, facility as unknown as Facility])),
  )
  const { user, system } = process.cpuUsage(before)
  expect([...standings.values()].every(({ kind }) => kind === 'stalled')).toBe(true)
  expect((user + system) / 1_000).toBeLessThan(1_000)
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
