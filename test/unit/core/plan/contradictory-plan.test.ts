import { describe, expect, test } from 'vitest'
import { makePlan } from '../../../../src/core/plan/planning.ts'
import type { ServiceTies } from '../../../../src/core/state/relation.ts'
import type { Snapshot } from '../../../../src/core/state/snapshot.ts'
import { type Declaration, OWNER, resolveFacility, sha256 } from '../../../simulation/declaration.ts'
import { acts, asDeclared, facilityIn, madeFrom, planCases } from '../../../simulation/planning-case.ts'

/** Two existing services, both running. */
function planOf(declarations: readonly Declaration[], ties: Readonly<Record<string, ServiceTies>>) {
  const targets = declarations.map(one => resolveFacility({ command: null, ...one }))
  const running = { state: 'running', enabled: true, supervised: true, pid: 7 } as const
  const services = targets.map(({ facility: { service } }) => [`alpha/${service}`, { service, ...running }] as const)
  const snapshot: Snapshot = {
    services: new Map(services),
    owned: [],
    unavailable: new Map(),
    files: new Map(),
    ties: new Map(Object.entries(ties)),
  }
  return makePlan({ targets, snapshot, owner: OWNER, applied: new Map(), prune: true }, sha256).facilities
}

describe('E21: facilities that contradict each other get no step', () => {
  test('two names of one service, one declared stopped and disabled: it keeps running', () => {
    const one: ServiceTies = { identities: ['alpha/fluentd'], relations: [] }
    const declared = [{ name: 'fluentd' }, { name: 'td-agent', state: 'stopped', enabled: false }] as const
    const plans = planOf(declared, { 'alpha/fluentd': one, 'alpha/td-agent': one })
    expect(plans.map(({ steps, blocked }) => [steps, blocked !== undefined])).toEqual([
      [[], true],
      [[], true],
    ])
  })

  test('a service that stops with another one that is declared stopped: both keep running', () => {
    const declared = [{ name: 'web' }, { name: 'db', state: 'stopped' }] as const
    const plans = planOf(declared, {
      'alpha/web': {
        identities: ['alpha/web'],
        relations: [{ kind: 'stops-with', to: 'alpha/db', how: 'it says so' }],
      },
      'alpha/db': { identities: ['alpha/db'], relations: [] },
    })
    expect(plans.flatMap(({ steps }) => steps)).toEqual([])
    expect(plans.map(({ blocked }) => blocked?.includes('it says so'))).toEqual([true, true])
  })

  describe('one of unmanaged state that conflicts with another', () => {
    const conflicting = (other: Declaration) => {
      const ties: Record<string, ServiceTies> = {
        'alpha/web': { identities: ['alpha/web'], relations: [] },
        'alpha/tool': {
          identities: ['alpha/tool'],
          relations: [{ kind: 'conflicts', to: 'alpha/web', how: 'tool says so' }],
        },
      }
      const tool = madeFrom({ name: 'tool', state: 'unmanaged', command: ['/bin/new'] }, { name: 'tool' })
      return facilityIn(planCases([tool, asDeclared(other)], { ties }), 'tool')
    }

    test('is not restarted while that is declared running', () => {
      expect(conflicting({ name: 'web' })).toMatchObject({
        steps: [],
        blocked: expect.stringContaining('stop facility web'),
      })
      expect(conflicting({ name: 'web' }).blocked).toContain('tool says so')
    })

    test('is restarted beside one that is declared stopped, or suspended', () => {
      expect(acts(conflicting({ name: 'web', state: 'stopped' }))).toContain('restart definition-changed')
      expect(acts(conflicting({ name: 'web', suspend: true }))).toContain('restart definition-changed')
    })
  })
})
