import { describe, expect, test } from 'vitest'
import { findRemovalProblem } from '../../../../src/core/plan/removal-guard.ts'
import { type Declaration, makeFacility, markerOf } from '../../../simulation/declaration.ts'
import {
  acts,
  asDeclared,
  facilityIn,
  madeFrom,
  notThere,
  ownedAt,
  type PlanningCase,
  type PlanOptions,
  planCases,
  planOne,
} from '../../../simulation/planning-case.ts'

const web: Declaration = { name: 'web', renamedFrom: 'www' }
const former: Declaration = { name: 'www' }

function there(declaration: Declaration): PlanOptions {
  const { location, key, observed } = ownedAt(declaration)
  return { owned: [location], services: { [key]: observed } }
}

describe('a renamed facility', () => {
  test('is one change: the old service is stopped, the new one started, the old one removed', () => {
    const plan = planCases([notThere(web)], there(former))
    expect(plan.facilities).toHaveLength(1)
    expect(plan.summary).toMatchObject({ change: 1, remove: 0, add: 0 })
    expect(facilityIn(plan, 'web')).toMatchObject({ change: 'change', renamedFrom: 'www' })
    expect(facilityIn(plan, 'web').steps.map(step => step.id)).toEqual([
      'web/install',
      'web/enable',
      'web/stop@alpha/www',
      'web/start',
      'web/remove@alpha/www',
    ])
    expect(findRemovalProblem(plan, 1, { count: 0, fraction: 0 }, 'reeve apply')).toBeUndefined()
  })

  test('with an unchanged service name only gets a new marker', () => {
    const [newer, older] = [
      { ...web, service: 'site' },
      { ...former, service: 'site' },
    ]
    const plan = planOne(madeFrom(newer, older))
    expect(acts(plan)).toEqual(['install definition-changed'])
    expect(plan.renamedFrom).toBe('www')
  })

  test('needs no restart if only the former name in its definition changed', () => {
    const row = asDeclared({ ...web, service: 'site' })
    const started = row.observed && { ...row.observed, loaded: { definition: 'as www', files: {} } }
    const target = { ...row.target, formerDigest: 'as www' }
    expect(planOne({ ...row, target, observed: started }).steps).toEqual([])
    expect(acts(planOne({ ...row, observed: started }))).toEqual(['restart out-of-date'])
  })

  test('ignores renamedFrom once the rename is done', () => {
    expect(planOne(asDeclared(web))).toMatchObject({ change: 'none', steps: [] })
    const drifted = planOne(asDeclared(web, { state: 'stopped' }))
    expect(drifted.change).toBe('repair')
    expect(drifted.renamedFrom).toBeUndefined()
  })

  test('E18: needs no record for that', () => {
    const row: PlanningCase = notThere(web)
    expect(planCases([row], { ...there(former), applied: new Map() }).facilities[0]?.renamedFrom).toBe('www')
  })

  test('suspended under its new name is left alone under its former one too', () => {
    const plan = planCases([notThere({ ...web, suspend: true })], there(former))
    expect(plan.facilities.flatMap(({ steps }) => steps)).toEqual([])
  })

  test('E7: is left alone while the old supervisor does not answer', () => {
    const before = { digest: 'x', supervisor: 'beta', service: 'www', files: [] }
    const plan = planCases([notThere(web)], { applied: new Map([['www', before]]), unavailable: { beta: 'gone' } })
    expect(facilityIn(plan, 'web').blocked).toContain('it was under supervisor beta, which is unavailable')
  })

  test('does not take over a former name that another facility declares', () => {
    const other = asDeclared(former)
    const plan = planCases([notThere(web), other])
    expect(facilityIn(plan, 'www').steps).toEqual([])
    expect(facilityIn(plan, 'web')).toMatchObject({ change: 'add' })
    expect(facilityIn(plan, 'web').renamedFrom).toBeUndefined()
  })

  test('E13: is stopped after dependents that name it by its former name', () => {
    const client: Declaration = { name: 'client', dependsOn: ['www'] }
    const old = ownedAt(former)
    const gone = ownedAt(client, { ownership: markerOf(makeFacility(client)) })
    const plan = planCases([notThere(web)], {
      owned: [old.location, gone.location],
      services: { [old.key]: old.observed, [gone.key]: gone.observed },
    })
    const stop = facilityIn(plan, 'web').steps.find(step => step.verb === 'stop')
    expect(stop?.needs).toContain('client/stop')
  })
})
