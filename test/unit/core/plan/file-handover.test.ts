import { describe, expect, test } from 'vitest'
import type { Plan } from '../../../../src/core/plan/step.ts'
import { type Declaration, makeFacility } from '../../../simulation/declaration.ts'
import {
  acts,
  asDeclared,
  facilityIn,
  madeFrom,
  notThere,
  ownedAt,
  planCases,
  unowned,
  withFile,
  withoutRecord,
} from '../../../simulation/planning-case.ts'

const path = '/etc/shared'
const file = { path, content: 'x' }
const giver = madeFrom({ name: 'giver' }, { name: 'giver', files: [file] })
const taker: Declaration = { name: 'taker', files: [file] }

function needsOf(plan: Plan, id: string): readonly string[] | undefined {
  return plan.facilities.flatMap(facility => facility.steps).find(step => step.id === id)?.needs
}

describe('a file that passes to another facility', () => {
  test('E4: stays in place and is always named by a marker', () => {
    const plan = planCases([giver, madeFrom(taker, { name: 'taker' })])
    expect(acts(facilityIn(plan, 'giver'))).toEqual(['install definition-changed'])
    expect(needsOf(plan, 'giver/install')).toEqual(['taker/install'])
    expect(needsOf(plan, 'taker/install')).toEqual([])
  })

  test('PITFALLS 8: of a new name leaves the old facility once the new one has it', () => {
    const old = ownedAt({ name: 'old', files: [file] })
    const plan = planCases([withFile(notThere(taker), path, 'x')], {
      owned: [old.location],
      services: { [old.key]: old.observed },
    })
    expect(facilityIn(plan, 'taker').blocked).toBeUndefined()
    expect(acts(facilityIn(plan, 'old'))).toEqual(['stop pruned', 'remove pruned'])
    expect(needsOf(plan, 'old/remove')).toEqual(['old/stop', 'taker/install'])
    expect(needsOf(plan, 'old/stop')).toEqual([])
  })

  test('is dropped by the giver if the taker cannot take it', () => {
    const dropped = ['remove-file file-dropped', 'install definition-changed', 'restart definition-changed']
    const blocked = planCases([giver, unowned(taker)])
    expect(acts(facilityIn(blocked, 'giver'))).toEqual(dropped)
    expect(needsOf(blocked, 'giver/install')).toEqual(['giver/remove-file:/etc/shared'])
    const suspended = planCases([giver, notThere({ ...taker, suspend: true })])
    expect(acts(facilityIn(suspended, 'giver'))).toEqual(dropped)
    const waiting = planCases([
      giver,
      notThere({ ...taker, dependsOn: ['db'] }),
      unowned({ name: 'db' }, { state: 'stopped' }),
    ])
    expect(acts(facilityIn(waiting, 'giver'))).toEqual(dropped)
  })

  test('stays with a taker that already has it, blocked or not', () => {
    expect(acts(facilityIn(planCases([giver, asDeclared({ ...taker, suspend: true })]), 'giver'))).toEqual([
      'install definition-changed',
    ])
    const held = asDeclared(taker, { state: 'unknown' })
    expect(acts(facilityIn(planCases([giver, held]), 'giver'))).toEqual(['install definition-changed'])
  })

  test('is dropped with the marker that names it, if another facility takes over the service of one that cannot go on', () => {
    const next = madeFrom({ name: 'next', service: 'held' }, { name: 'held', files: [file] })
    const held = notThere({ name: 'held', supervisor: 'beta', files: [file], suspend: true })
    const { steps } = facilityIn(planCases([withoutRecord(next), withFile(held, path, 'x')]), 'next')
    expect(steps.map(({ verb }) => verb)).toEqual(['remove-file', 'install', 'restart'])
  })

  test('counts as taken by a facility that is under way', () => {
    const plan = planCases([giver], { busy: [makeFacility(taker)] })
    expect(acts(facilityIn(plan, 'giver'))).toEqual(['install definition-changed'])
    expect(needsOf(plan, 'giver/install')).toEqual([])
  })

  test('does not deadlock two facilities that swap files', () => {
    const other = { path: '/etc/other', content: 'y' }
    const plan = planCases([
      madeFrom({ name: 'a', files: [other] }, { name: 'a', files: [file] }),
      madeFrom({ name: 'b', files: [file] }, { name: 'b', files: [other] }),
    ])
    expect(plan.facilities.map(({ blocked }) => blocked)).toEqual([undefined, undefined])
    expect([needsOf(plan, 'a/install'), needsOf(plan, 'b/install')]).toEqual([['b/install'], []])
  })
})
