import { describe, expect, test } from 'vitest'
import type { Policy } from '../../../../src/core/model/host-configuration.ts'
import { type Declaration, makeFacility, markerOf, OWNER } from '../../../simulation/declaration.ts'
import {
  acts,
  notThere,
  type PlanningCase,
  type PlanOptions,
  planCases,
  planOne,
  unowned,
} from '../../../simulation/planning-case.ts'

const web: Declaration = { name: 'web' }

/** Case whose definition names these services. */
function naming(row: PlanningCase, ...touches: string[]): PlanningCase {
  const { definition } = row.target
  if (!definition) throw new Error('expected a definition')
  return { ...row, target: { ...row.target, definition: { ...definition, touches } } }
}

function adding(row: PlanningCase): PlanningCase {
  const { definition } = row.target
  if (!definition) throw new Error('expected a definition')
  return { ...row, target: { ...row.target, definition: { ...definition, isAddition: true } } }
}

describe('S11: no manifest may touch the service of a controller, whatever the policy:', () => {
  const ownership = { ...markerOf(makeFacility({ name: 'reeve' })), owner: `${OWNER}/controller` }
  const place = { supervisor: 'alpha', service: 'reeve' }
  const controller: PlanOptions = { owned: [{ ...place, ownership }] }
  const said = /runs Reeve's own controller/

  test.each<[string, Declaration]>([
    ['stopped', { name: 'reeve', state: 'stopped' }],
    ['adopted under another name', { name: 'x', service: 'reeve', adopt: true }],
    ['without a definition', { name: 'reeve', command: null, state: 'stopped' }],
  ])('%s', (_, declaration) => {
    for (const policy of [undefined, { services: ['*'] }]) {
      const plan = planOne(unowned(declaration, { ownership }), policy ? { policy } : {})
      expect(plan.blocked).toMatch(said)
      expect(plan.steps).toEqual([])
    }
  })

  test('a controller of another Reeve', () => {
    const row = unowned({ name: 'reeve', adopt: true }, { ownership: { ...ownership, owner: 'other/controller' } })
    expect(planOne(row).blocked).toMatch(said)
  })

  test('except the installer of that controller', () => {
    const row = unowned({ name: 'reeve' }, { ownership })
    expect(planOne(row, { owner: `${OWNER}/controller` }).blocked).toBeUndefined()
  })

  test('named by a definition', () => {
    expect(planOne(naming(notThere(web), 'db', 'reeve'), controller).blocked).toMatch(
      /names service reeve, which runs Reeve's own/,
    )
    expect(planOne(naming(notThere(web), 'db'), controller).blocked).toBeUndefined()
  })

  test('found by its process, and under its aliases', () => {
    const controllers = [{ supervisor: 'alpha', service: 'gitops' }]
    expect(planOne(unowned({ name: 'gitops', command: null, state: 'stopped' }), { controllers }).blocked).toMatch(said)
    expect(planOne(naming(notThere(web), 'gitops'), { controllers }).blocked).toMatch(said)
    const elsewhere = { name: 'gitops', supervisor: 'beta', command: null, state: 'stopped' } as const
    expect(planOne(unowned(elsewhere), { controllers }).blocked).toBeUndefined()
  })
})

describe('S11: policy.services bounds what a definition adds to or names:', () => {
  test.each<[string, PlanningCase, Policy | undefined, RegExp | undefined]>([
    ['an addition, without a policy', adding(notThere(web)), undefined, undefined],
    [
      'an addition, with any policy',
      adding(notThere(web, { state: 'running' })),
      { users: ['web'] },
      /add to service web: not allowed by policy.services/,
    ],
    ['an allowed addition', adding(notThere(web, { state: 'running' })), { services: ['web'] }, undefined],
    ['a name, without a policy', naming(notThere(web), 'ssh'), undefined, undefined],
    [
      'a name, with any policy',
      naming(notThere(web), 'ssh'),
      { users: ['web'] },
      /names service ssh, which Reeve doesn't define/,
    ],
    ['an allowed name', naming(notThere(web), 'ssh', 'fstrim.timer'), { services: ['ssh', '*.timer'] }, undefined],
    ['a name that cannot be resolved', naming(notThere(web), '%H.service'), { services: ['*'] }, /names service %H/],
  ])('%s', (_, row, policy, said) => {
    const { blocked } = planOne(row, policy ? { policy } : {})
    if (said === undefined) expect(blocked ?? '').not.toMatch(/policy/)
    else expect(blocked).toMatch(said)
  })

  const policy: Policy = { services: [] }
  const blockedOf = (rows: readonly PlanningCase[]) =>
    planCases(rows, { policy }).facilities.find(({ name }) => name === 'web')?.blocked

  test('a service that Reeve writes for another facility needs no permission, before or after its install', () => {
    const named = naming(notThere(web), 'db')
    expect(blockedOf([named, notThere({ name: 'db' })])).toBeUndefined()
    const db = notThere({ name: 'db' })
    const ours = markerOf(db.target.facility)
    expect(blockedOf([named, notThere({ name: 'db' }, { state: 'running', ownership: ours })])).toBeUndefined()
  })

  test('a service that only has the name of a facility needs permission', () => {
    const named = naming(notThere(web), 'db')
    expect(blockedOf([named, unowned({ name: 'db' })])).toMatch(/names service db/)
    expect(blockedOf([named, notThere({ name: 'db', adopt: true })])).toMatch(/names service db/)
    const added = { ...markerOf(makeFacility({ name: 'db' })), isAddition: true }
    expect(blockedOf([named, notThere({ name: 'db' }, { state: 'running', ownership: added })])).toMatch(
      /names service db/,
    )
  })

  test('an allowed name is applied', () => {
    expect(acts(planOne(naming(notThere(web), 'ssh'), { policy: { services: ['ssh'] } }))).toEqual([
      'install new',
      'enable new',
      'start new',
    ])
  })
})
