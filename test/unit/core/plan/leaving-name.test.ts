import { describe, expect, test } from 'vitest'
import type { ServiceTies } from '../../../../src/core/state/relation.ts'
import type { Declaration } from '../../../simulation/declaration.ts'
import {
  facilityIn,
  notThere,
  ownedAt,
  type PlanOptions,
  planCases,
  unowned,
} from '../../../simulation/planning-case.ts'

const plain = (key: string): ServiceTies => ({ identities: [key], relations: [] })

/** `alpha/queue` has Reeve's marker, and `nickname` is another name of it. */
const nickname: ServiceTies = { identities: ['alpha/queue'], relations: [], alias: 'nickname is another name of queue' }
const ties = { 'alpha/queue': plain('alpha/queue'), 'beta/queue': plain('beta/queue'), 'alpha/nickname': nickname }

function queueAt(facility: string): PlanOptions {
  const { location, key, observed } = ownedAt({ name: facility, service: 'queue' })
  return { owned: [location], services: { [key]: observed }, ties }
}

const existing: Declaration = { name: 'other', service: 'nickname', command: null, enabled: false }

describe('E21: a service that is another name of one that is about to be removed', () => {
  test('is blocked while the facility that has it moves, which is not', () => {
    const plan = planCases([notThere({ name: 'queue', supervisor: 'beta' }), unowned(existing)], queueAt('queue'))
    expect(facilityIn(plan, 'other')).toMatchObject({
      steps: [],
      blocked: expect.stringContaining('facility queue moves'),
    })
    expect(facilityIn(plan, 'queue').steps.map(({ id }) => id)).toContain('queue/remove@alpha/queue')
  })

  test('blocks those that are to be started after it, though it still runs', () => {
    for (const suspend of [true, false]) {
      const web = notThere({ name: 'web', dependsOn: ['other'] })
      const plan = planCases([unowned({ ...existing, suspend }), web], queueAt('gone'))
      expect(facilityIn(plan, 'web')).toMatchObject({ steps: [], blocked: expect.stringContaining('about to lose') })
    }
  })

  test('is blocked while its orphan is removed, or has to wait for complete manifests', () => {
    for (const prune of [true, false]) {
      const plan = planCases([unowned(existing)], { ...queueAt('gone'), prune })
      expect(facilityIn(plan, 'other').steps).toEqual([])
      expect(facilityIn(plan, 'other').blocked).toContain('no manifest declares facility gone any more')
    }
  })

  test('does not cost a facility its own service', () => {
    const plan = planCases([unowned({ ...existing, name: 'queue' })], queueAt('queue'))
    expect(facilityIn(plan, 'queue').steps).toEqual([])
    expect(facilityIn(plan, 'queue').blocked).toContain('declare serviceName: queue')
  })

  test('leaves nothing to do if it is to be neither running nor enabled', () => {
    const plan = planCases([unowned({ ...existing, state: 'stopped' })], queueAt('gone'))
    expect(facilityIn(plan, 'other')).toMatchObject({ steps: [], change: 'none' })
    expect(facilityIn(plan, 'other').blocked).toBeUndefined()
  })

  test('does not hold up the removal of the old service, if it is to be neither running nor enabled', () => {
    const old = ownedAt({ name: 'other', supervisor: 'beta' })
    const gone = ownedAt({ name: 'gone', service: 'queue' })
    const found = { [old.key]: old.observed, [gone.key]: gone.observed }
    const moving = unowned({ ...existing, state: 'stopped' })
    const released: ServiceTies = { identities: ['alpha/nickname'], leaving: 'alpha/queue', relations: [] }
    for (const own of [nickname, released]) {
      const more = { owned: [old.location, gone.location], services: found, ties: { ...ties, 'alpha/nickname': own } }
      const { steps } = facilityIn(planCases([moving], more), 'other')
      expect(steps.map(({ id, needs }) => [id, needs])).toEqual([
        ['other/stop@beta/other', []],
        ['other/remove@beta/other', ['other/stop@beta/other']],
      ])
    }
  })

  test('is had if it stays, as its marker says', () => {
    const { location, key, observed } = ownedAt({ name: 'gone', service: 'queue', prune: false })
    const plan = planCases([unowned(existing)], { owned: [location], services: { [key]: observed }, ties })
    expect(facilityIn(plan, 'other').steps.map(({ id }) => id)).toEqual(['other/disable'])
  })
})
