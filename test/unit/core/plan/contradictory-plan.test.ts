import { describe, expect, test } from 'vitest'
import { makePlan } from '../../../../src/core/plan/planning.ts'
import type { ServiceTies } from '../../../../src/core/state/relation.ts'
import type { Snapshot } from '../../../../src/core/state/snapshot.ts'
import { type Declaration, OWNER, resolveFacility, sha256 } from '../../../simulation/declaration.ts'

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
})
