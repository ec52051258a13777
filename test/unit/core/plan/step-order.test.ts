import { describe, expect, test } from 'vitest'
import { dependenciesFirst, dependentsOf, withoutCycles } from '../../../../src/core/plan/dependency-order.ts'
import { makeRemovalPlan } from '../../../../src/core/plan/planning.ts'
import type { Plan, Step } from '../../../../src/core/plan/step.ts'
import { bringsUp } from '../../../../src/core/plan/step-builder.ts'
import { JOB, makeFacility, OWNER, sha256 } from '../../../simulation/declaration.ts'
import {
  acts,
  asDeclared,
  facilityIn,
  madeFrom,
  notThere,
  ownedAt,
  type PlanOptions,
  planCases,
  unowned,
  withFile,
} from '../../../simulation/planning-case.ts'

const db = { name: 'db' } as const
const web = { name: 'web', dependsOn: ['db'] } as const

function needsOf(plan: Plan, id: string): readonly string[] | undefined {
  return plan.facilities.flatMap(facility => facility.steps).find(step => step.id === id)?.needs
}

describe('E13: order of starts', () => {
  test('a start needs the starts of its dependencies, and no other step does', () => {
    const plan = planCases([notThere(web), notThere(db)])
    expect(needsOf(plan, 'web/start')).toEqual(['db/start', 'web/enable'])
    expect(needsOf(plan, 'web/install')).toEqual([])
    expect(needsOf(plan, 'web/enable')).toEqual(['web/install'])
    expect(needsOf(plan, 'db/start')).toEqual(['db/enable'])
  })

  test('a restart counts as a start, on either side', () => {
    const changed = { ...db, command: ['/bin/daemon', '2'] }
    const plan = planCases([madeFrom({ ...web, command: ['/bin/daemon', '2'] }, web), madeFrom(changed, db)])
    expect(needsOf(plan, 'web/restart')).toEqual(['db/restart', 'web/install'])
  })

  test('a reload needs nothing', () => {
    const reloads = { ...web, reload: true, onChange: 'reload' } as const
    const row = madeFrom({ ...reloads, command: ['/bin/daemon', '2'], restart: 'always' }, reloads)
    const plan = planCases([row, notThere(db)])
    expect(needsOf(plan, 'web/reload')).toEqual(['web/install'])
  })

  test('a running service that only lost its supervisor needs nothing, and nothing needs it', () => {
    const plan = planCases([asDeclared(web, { supervised: false }), unowned(db, { state: 'stopped' })])
    expect(acts(facilityIn(plan, 'web'))).toEqual(['start unsupervised'])
    const both = planCases([notThere(web), asDeclared(db, { supervised: false })])
    expect(needsOf(both, 'web/start')).toEqual(['web/enable'])
  })

  const steps: [Pick<Step, 'verb' | 'reason' | 'target'>, boolean][] = [
    [{ verb: 'start', reason: 'new' }, true],
    [{ verb: 'restart', reason: 'unhealthy' }, true],
    [{ verb: 'start', reason: 'unsupervised' }, false],
    [{ verb: 'reload', reason: 'file-changed' }, false],
    [{ verb: 'start', reason: 'put-back', target: { supervisor: 'alpha', service: 'old' } }, false],
  ]
  for (const [step, expected] of steps) {
    test(`${JSON.stringify(step)}: the step brings the service up: ${expected}`, () => {
      expect(bringsUp({ id: 'web/x', needs: [], ...step })).toBe(expected)
    })
  }

  test('only the start of a dependency is needed, none of its other steps', () => {
    const plan = planCases([asDeclared(web), asDeclared(db, { state: 'stopped' })])
    expect(facilityIn(plan, 'web').steps).toEqual([])
  })
})

describe('E13: order of stops and removals', () => {
  test('a stop needs the stops of its dependents', () => {
    const plan = planCases([madeFrom({ ...web, state: 'stopped' }, web), madeFrom({ ...db, state: 'stopped' }, db)])
    expect(needsOf(plan, 'db/stop')).toEqual(['web/stop'])
    expect(needsOf(plan, 'web/stop')).toEqual([])
  })

  function pruned(found: { web?: object; db?: object } = {}): PlanOptions {
    const old = [ownedAt(web, found.web), ownedAt(db, found.db)]
    return {
      owned: old.map(({ location }) => location),
      services: Object.fromEntries(old.map(({ key, observed }) => [key, observed])),
    }
  }

  test('a removal needs the stops of its former dependents, by their markers', () => {
    const plan = planCases([], pruned())
    expect(needsOf(plan, 'db/stop')).toEqual(['web/stop'])
    expect(needsOf(plan, 'db/remove')).toEqual(['db/stop', 'web/remove'])
    expect(needsOf(plan, 'web/stop')).toEqual([])
  })

  test('a removal without a stop needs them too', () => {
    const plan = planCases([], pruned({ db: { state: 'stopped' } }))
    expect(needsOf(plan, 'db/remove')).toEqual(['web/remove'])
    const still = planCases([], pruned({ db: { state: 'stopped' }, web: { state: 'stopped' } }))
    expect(needsOf(still, 'db/remove')).toEqual(['web/remove'])
  })

  test('only a stop and a removal need a leaving service: other facilities change at once', () => {
    const old = ownedAt(web)
    const going = { owned: [old.location], services: { [old.key]: old.observed } }
    const changed = planCases([madeFrom({ ...db, command: ['/bin/daemon', '2'] }, db)], going)
    expect(needsOf(changed, 'db/install')).toEqual([])
    const place = ownedAt(db)
    const moving = planCases([notThere({ ...db, supervisor: 'beta' })], {
      owned: [old.location, place.location],
      services: { ...going.services, [place.key]: place.observed },
    })
    expect(needsOf(moving, 'db/stop@alpha/db')).toEqual(['db/enable', 'web/stop'])
    expect(needsOf(moving, 'db/remove@alpha/db')).toEqual(['db/start'])
    const filed = ownedAt({ ...db, files: [{ path: '/etc/db', content: 'x' }] })
    const both = planCases([], {
      owned: [old.location, filed.location],
      services: { ...going.services, [filed.key]: filed.observed },
    })
    expect(needsOf(both, 'db/remove-file:/etc/db')).toEqual(['db/stop'])
  })

  test('a removal needs other removals, and no step of facilities that stay', () => {
    const gone = ownedAt(db)
    const going = { owned: [gone.location], services: { [gone.key]: gone.observed } }
    expect(needsOf(planCases([notThere(web)], going), 'db/remove')).toEqual(['db/stop'])
    const place = ownedAt(web)
    const moving = planCases([notThere({ ...web, supervisor: 'beta' })], {
      owned: [gone.location, place.location],
      services: { ...going.services, [place.key]: place.observed },
    })
    expect(needsOf(moving, 'db/stop')).toEqual(['web/stop@alpha/web'])
    expect(needsOf(moving, 'db/remove')).toEqual(['db/stop'])
  })

  test('down follows the same order', () => {
    const { owned = [], services = {} } = pruned()
    const snapshot = { owned, services: new Map(Object.entries(services)), unavailable: new Map(), files: new Map() }
    const plan = makeRemovalPlan(undefined, { snapshot, owner: OWNER }, sha256)
    expect(needsOf(plan, 'db/stop')).toEqual(['web/stop'])
  })

  test('contradicting markers of two revisions never make removals wait for one another', () => {
    const old = [ownedAt({ name: 'a', dependsOn: ['b'] }), ownedAt({ name: 'b', dependsOn: ['a'] })]
    const plan = planCases([], {
      owned: old.map(({ location }) => location),
      services: Object.fromEntries(old.map(({ key, observed }) => [key, observed])),
    })
    const needs = [needsOf(plan, 'a/stop'), needsOf(plan, 'b/stop')]
    expect(needs.filter(list => list?.length === 0)).toHaveLength(1)
  })
})

describe('a facility that cannot start blocks its dependents', () => {
  test('with its own reason', () => {
    const plan = planCases([notThere(web), unowned(db, { state: 'stopped' })])
    expect(facilityIn(plan, 'web')).toMatchObject({ change: 'none', steps: [] })
    expect(facilityIn(plan, 'web').blocked).toBe(
      `it depends on db, which is blocked: ${facilityIn(plan, 'db').blocked}`,
    )
  })

  test('along a chain, with the cause named once', () => {
    const plan = planCases([
      notThere({ name: 'front', dependsOn: ['web'] }),
      notThere({ name: 'edge', dependsOn: ['front'] }),
      notThere(web),
      unowned(db, { state: 'failed' }),
    ])
    const cause = facilityIn(plan, 'db').blocked
    expect(facilityIn(plan, 'front').blocked).toBe(`it depends on web, which waits for db, which is blocked: ${cause}`)
    expect(facilityIn(plan, 'edge').blocked).toBe(`it depends on front, which waits for db, which is blocked: ${cause}`)
  })

  test('but not those that already run', () => {
    expect(facilityIn(planCases([asDeclared(web), unowned(db, { state: 'stopped' })]), 'web').blocked).toBeUndefined()
    const restarted = madeFrom({ ...web, command: ['/bin/daemon', '2'] }, web)
    const plan = planCases([restarted, unowned(db)])
    expect(acts(facilityIn(plan, 'web')), 'db runs, though it is not ours').toEqual([
      'install definition-changed',
      'restart definition-changed',
    ])
  })

  test('if it is declared stopped, running or not (E4)', () => {
    const blocked = 'it depends on db, which is declared stopped'
    const stopped = { ...db, state: 'stopped' } as const
    expect(facilityIn(planCases([notThere(web), asDeclared(stopped)]), 'web').blocked).toBe(blocked)
    expect(facilityIn(planCases([notThere(web), madeFrom(stopped, db)]), 'web').blocked).toBe(blocked)
  })

  test('if it is suspended and not running', () => {
    const suspended = { ...db, suspend: true }
    const down = planCases([notThere(web), asDeclared(suspended, { state: 'stopped' })])
    expect(facilityIn(down, 'web').blocked).toBe('it depends on db, which is suspended and not ready')
    expect(facilityIn(planCases([notThere(web), asDeclared(suspended)]), 'web').blocked).toBeUndefined()
    const job = { ...suspended, command: JOB, restart: 'never' } as const
    const done = planCases([notThere(web), asDeclared(job, { state: 'stopped', completed: true })])
    expect(facilityIn(done, 'web').blocked, 'it has done its work').toBeUndefined()
    const hidden = planCases([notThere(web), { ...asDeclared(suspended), observed: undefined }])
    expect(facilityIn(hidden, 'web').blocked).toBe('it depends on db, which is suspended and not ready')
  })

  test('if it failed for good by its policy', () => {
    const never = { ...db, restart: 'never' } as const
    const plan = planCases([notThere(web), asDeclared(never, { state: 'failed' })])
    expect(facilityIn(plan, 'web').blocked).toBe(
      'it depends on db, which has failed for good: its restart policy is never',
    )
    const retried = planCases([notThere(web), asDeclared(db, { state: 'failed' })])
    expect(facilityIn(retried, 'web').blocked).toBeUndefined()
    const unmanaged = { ...never, state: 'unmanaged' } as const
    expect(
      facilityIn(planCases([notThere(web), asDeclared(unmanaged, { state: 'failed' })]), 'web').blocked,
    ).toBeUndefined()
  })

  test('but not if it comes up by itself', () => {
    for (const state of ['starting', 'stopping'] as const) {
      expect(facilityIn(planCases([notThere(web), asDeclared(db, { state })]), 'web').blocked, state).toBeUndefined()
    }
  })

  test('but not if it is a completed job, even if blocked now', () => {
    const job = { name: 'db', command: JOB, restart: 'never', files: [{ path: '/etc/db', content: 'x' }] } as const
    const done = asDeclared(job, { state: 'stopped', completed: true })
    const plan = planCases([notThere(web), withFile(done, '/etc/db', { kind: 'other', problem: 'it is a symlink' })])
    expect(facilityIn(plan, 'db').blocked).toContain('it is a symlink')
    expect(facilityIn(plan, 'web').blocked).toBeUndefined()
  })

  test('but not if its state is unmanaged', () => {
    for (const suspend of [false, true]) {
      const unmanaged = { ...db, state: 'unmanaged', suspend } as const
      const plan = planCases([notThere(web), asDeclared(unmanaged, { state: 'stopped' })])
      expect(facilityIn(plan, 'web').blocked).toBeUndefined()
    }
  })

  test('but not if this pass does not observe it', () => {
    const plan = planCases([notThere(web)], { busy: [makeFacility(db)] })
    expect(acts(facilityIn(plan, 'web'))).toContain('start new')
  })

  test('and only their starts: a dependent declared stopped is installed', () => {
    const idle = notThere({ ...web, state: 'stopped', enabled: false })
    expect(acts(facilityIn(planCases([idle, unowned(db)]), 'web'))).toEqual(['install new'])
  })
})

describe('dependency order', () => {
  const graph = (edges: Record<string, string[]>) => new Map(Object.entries(edges))

  test('lists dependencies first, as far as cycles allow, and only names that exist', () => {
    expect(dependenciesFirst(graph({ a: ['b'], b: ['c'], c: [] }))).toEqual(['c', 'b', 'a'])
    expect(dependenciesFirst(graph({ a: ['gone'] }))).toEqual(['a'])
    expect(dependenciesFirst(graph({ a: ['b'], b: ['a'] })).sort()).toEqual(['a', 'b'])
    expect(dependenciesFirst(graph({ a: ['b', 'c'], b: ['c'], c: [], d: ['a'] }))).toEqual(['c', 'b', 'a', 'd'])
  })

  test('without cycles has no circular wait, not even on itself', () => {
    expect([...withoutCycles(graph({ a: ['a', 'b'], b: ['c'], c: ['a', 'gone'] }))]).toEqual([
      ['a', ['b']],
      ['b', ['c']],
      ['c', ['gone']],
    ])
  })

  test('reversed gives the dependents', () => {
    expect([...dependentsOf(graph({ a: ['c'], b: ['c', 'd'] }))]).toEqual([
      ['c', ['a', 'b']],
      ['d', ['b']],
    ])
  })

  test('of many paths to one name costs no more than one', () => {
    const names = Array.from({ length: 40 }, (_, i) => `f${i}`)
    const layers = names.flatMap((name, i) => [`${name}a`, `${name}b`].map(one => [one, [`f${i + 1}a`, `f${i + 1}b`]]))
    expect(dependenciesFirst(graph(Object.fromEntries(layers)))).toHaveLength(80)
  })

  test('of a chain of 10,000 does not overflow the stack', () => {
    const chain = new Map(Array.from({ length: 10_000 }, (_, i) => [`f${i}`, i === 9_999 ? [] : [`f${i + 1}`]]))
    expect(dependenciesFirst(chain)[0]).toBe('f9999')
    chain.set('f9999', ['f0'])
    expect(dependenciesFirst(chain)).toHaveLength(10_000)
  })
})
