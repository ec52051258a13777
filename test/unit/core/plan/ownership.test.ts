import { describe, expect, test } from 'vitest'
import type { OnChange } from '../../../../src/core/model/facility.ts'
import { makeRemovalPlan } from '../../../../src/core/plan/planning.ts'
import { findRemovalProblem } from '../../../../src/core/plan/removal-guard.ts'
import type { FacilityPlan } from '../../../../src/core/plan/step.ts'
import type { Observed } from '../../../../src/core/state/observed.ts'
import { type Declaration, makeFacility, markerOf, OWNER, sha256 } from '../../../simulation/declaration.ts'
import {
  acts,
  asDeclared,
  definitionPathOf,
  facilityIn,
  madeFrom,
  notThere,
  ownedAt,
  type PlanningCase,
  type PlanOptions,
  planCases,
  planOne,
  unowned,
  withFile,
  withoutRecord,
} from '../../../simulation/planning-case.ts'

const web: Declaration = { name: 'web' }
const path = '/etc/web.toml'
const withAFile: Declaration = { name: 'web', files: [{ path, content: 'ours' }] }

describe('E8: Reeve changes only what it owns:', () => {
  test('an unowned service of the name blocks, and the message names both ways out', () => {
    const row = unowned(web)
    const plan = planOne(withFile(row, definitionPathOf(row), 'somebody else wrote this'))
    expect(plan.steps).toEqual([])
    expect(plan.blocked).toBe(
      'supervisor alpha has a service web that is not managed by Reeve: declare adopt: true to take it over, or another serviceName',
    )
  })

  test('a service without our definition, or a definition without a service, blocks too', () => {
    expect(planOne(unowned(web)).blocked).toContain('not managed by Reeve')
    expect(planOne(unowned(web, { state: 'stopped' })).blocked).toContain('not managed by Reeve')
    const absent = notThere(web)
    expect(planOne(withFile(absent, definitionPathOf(absent), 'theirs')).blocked).toContain('not managed by Reeve')
    const directory = { kind: 'other', problem: 'it is a directory' } as const
    expect(planOne(withFile(absent, definitionPathOf(absent), directory)).blocked).toContain('not managed by Reeve')
  })

  test('a blocked facility disables only what has its marker, or is declared to exist already', () => {
    const waiting: Declaration = { name: 'web', enabled: false, dependsOn: ['db'] }
    const db = asDeclared({ name: 'db', state: 'stopped' })
    const stepsBeside = (row: PlanningCase): string[] => {
      const web = facilityIn(planCases([row, db]), 'web')
      expect(web.blocked).toContain('depends on db')
      return acts(web)
    }
    const drifted = asDeclared(waiting, { state: 'stopped', enabled: true })
    const { ownership: _ownership, ...unmarked } = drifted.observed as Observed
    const deleted = withFile({ ...drifted, observed: unmarked }, definitionPathOf(drifted), { kind: 'absent' })
    const stopped = { state: 'stopped', enabled: true } as const
    expect(stepsBeside(drifted)).toEqual(['disable enablement-drift'])
    expect(stepsBeside(deleted), 'deleted behind our back').toEqual([])
    expect(stepsBeside(unowned({ ...waiting, adopt: true }, stopped)), 'to be adopted').toEqual([])
    expect(stepsBeside(unowned({ ...waiting, command: null }, stopped)), 'existing').toEqual(['disable enablement'])
  })

  test('an existing service that its manifest now defines is not taken over, though its state was managed', () => {
    const { applied } = asDeclared({ name: 'web', command: null })
    if (!applied) throw new Error('expected a record')
    const row = { ...unowned(web), applied }
    expect(planOne(row)).toMatchObject({ steps: [], blocked: expect.stringContaining('not managed by Reeve') })
    expect(acts(planOne({ ...row, target: unowned({ ...web, adopt: true }).target }))).toContain('install adopted')
  })

  test('one file of several identifies a definition and its owner', () => {
    const row = withSecondFile(notThere(web))
    expect(acts(planOne(row))).toEqual(['install new', 'enable new', 'start new'])
    expect(planOne(row).steps[0]?.diff).toMatch(/^--- .*(\n[+@].*)*\n--- \/dev\/null\n.*\n@@ -0,0 \+1 @@\n\+more\n$/)
    const theirs = withFile(row, '/definitions/more', 'theirs')
    expect(planOne(theirs).blocked).toContain('not managed by Reeve')
    const { ownership: _ownership, ...observed } = asDeclared(web).observed as Observed
    const { applied } = asDeclared(web)
    if (!applied) throw new Error('expected a record')
    expect(planOne({ ...row, observed, applied }).blocked, 'deleted behind our back').toBeUndefined()
    expect(planOne({ ...theirs, observed, applied }).blocked, 'replaced').toContain('not managed by Reeve')
  })

  test('a file that was not observed counts as absent', () => {
    const plan = planOne({ ...notThere(withAFile), files: new Map() })
    expect(acts(plan)).toEqual(['install new', 'write-file new', 'enable new', 'start new'])
    expect(plan.steps[1]?.diff).toBe(
      '--- /dev/null\n+++ /etc/web.toml\n@@ -0,0 +1 @@\n+ours\n\\ No newline at end of file\n',
    )
  })

  test('a file in the record is not ours if a marker exists that does not name it', () => {
    const row = withFile(madeFrom(withAFile, web), path, 'theirs')
    const { applied } = asDeclared(withAFile)
    if (!applied) throw new Error('expected a record')
    const marked = withFile({ ...row, applied }, definitionPathOf(row), { kind: 'absent' })
    expect(planOne(marked).blocked).toContain('file /etc/web.toml exists')
  })

  test('where Reeve writes no definition, the record alone makes a file ours', () => {
    const plain = { ...withAFile, command: null }
    expect(acts(planOne(withFile(asDeclared(plain), path, 'edited')))).toEqual(['write-file file-drift'])
  })

  test('a service of another Reeve counts as unowned, and the message names the owner', () => {
    const ownership = { ...markerOf(makeFacility(web)), owner: 'edge' }
    const plan = planOne(asDeclared(web, { ownership, state: 'stopped' }))
    expect(plan.steps).toEqual([])
    expect(plan.blocked).toContain('that is managed by another Reeve (owner edge): declare adopt: true')
  })

  test('adopt: true takes the service over', () => {
    const adopt = { ...web, adopt: true }
    const row = unowned(adopt, { state: 'stopped', enabled: false })
    const plan = planOne(withFile(row, definitionPathOf(row), 'theirs'))
    expect(acts(plan)).toEqual(['install adopted', 'enable new', 'start stopped'])
    const ownership = { ...markerOf(makeFacility(web)), owner: 'edge' }
    expect(planOne(asDeclared(adopt, { ownership })).blocked).toBeUndefined()
    expect(acts(planOne(unowned(adopt))), 'a service without a definition').toEqual([
      'install adopted',
      'restart adopted',
    ])
    const absent = notThere(adopt)
    expect(
      acts(planOne(withFile(absent, definitionPathOf(absent), 'theirs'))),
      'a definition without a service',
    ).toEqual(['install adopted', 'enable new', 'start new'])
  })

  test('an unowned file blocks, and the message names both ways out', () => {
    const plan = planOne(withFile(notThere(withAFile), path, 'theirs'))
    expect(plan.steps).toEqual([])
    expect(plan.blocked).toBe(
      'file /etc/web.toml exists and is not managed by Reeve: declare adopt: true to take it over, or another path',
    )
    expect(planOne(withFile(notThere(withAFile), path, 'ours')).blocked, 'whatever its content').toContain('adopt')
  })

  test('adopt: true takes the file over', () => {
    const plan = planOne(withFile(notThere({ ...withAFile, adopt: true }), path, 'theirs'))
    expect(acts(plan)).toEqual(['install new', 'write-file adopted', 'enable new', 'start new'])
  })

  test("a file that another Reeve's marker names is not ours", () => {
    const other = ownedAt({ name: 'other', files: [{ path, content: 'x' }] })
    const theirs = { ...other.location, ownership: { ...other.location.ownership, owner: 'edge' } }
    const row = withFile(notThere(withAFile), path, 'x')
    expect(planOne(row, { owned: [theirs] }).blocked).toContain('not managed by Reeve')
    expect(planOne(row, { owned: [other.location], services: { [other.key]: other.observed } }).blocked).toBeUndefined()
  })

  test('a file of a lost service with the same name is not ours', () => {
    const { applied: _applied, ...row } = asDeclared(withAFile, { state: 'absent' })
    const { ownership: _ownership, ...observed } = row.observed ?? { service: 'web' }
    const gone = withFile({ ...row, observed: observed as never }, definitionPathOf(row), { kind: 'absent' })
    expect(planOne(gone).blocked).toContain('file /etc/web.toml exists')
  })
})

describe('E9: prune', () => {
  const gone = ownedAt({ name: 'old', files: [{ path: '/etc/old', content: 'x' }] })
  const present: PlanOptions = { owned: [gone.location], services: { [gone.key]: gone.observed } }

  test('an owned service without a manifest is stopped, its files removed, its definition last', () => {
    const plan = facilityIn(planCases([], present), 'old')
    expect(plan).toMatchObject({ change: 'remove', supervisor: 'alpha', service: 'old' })
    expect(acts(plan)).toEqual(['stop pruned', 'remove-file pruned', 'remove pruned'])
    expect(plan.steps.map(step => step.needs)).toEqual([[], ['old/stop'], ['old/remove-file:/etc/old']])
    expect(plan.steps[1]?.path).toBe('/etc/old')
  })

  test('an incomplete set of manifests removes nothing', () => {
    expect(planCases([], { ...present, prune: false }).facilities).toEqual([])
    expect(planCases([asDeclared(web)], { ...present, prune: false }).summary.remove).toBe(0)
  })

  test('prune: false on the marker leaves the service alone', () => {
    const kept = ownedAt({ name: 'old', prune: false })
    expect(planCases([], { owned: [kept.location], services: { [kept.key]: kept.observed } }).facilities).toEqual([])
  })

  test('a suspended service is left alone even without a manifest', () => {
    expect(planCases([], { ...present, suspended: new Set(['old']) }).facilities).toEqual([])
    expect(planCases([], { ...present, suspended: new Set(['web']) }).summary.remove).toBe(1)
  })

  test('a service of another Reeve is left alone', () => {
    const ownership = { ...gone.location.ownership, owner: 'edge' }
    const theirs = { owned: [{ ...gone.location, ownership }], services: present.services ?? {} }
    expect(planCases([], theirs).facilities).toEqual([])
    expect(makeRemovalPlan(undefined, { snapshot: worldOf(theirs), owner: OWNER }, sha256).facilities).toEqual([])
  })

  test('a declared facility that this pass does not observe is not pruned', () => {
    expect(planCases([], { ...present, busy: [makeFacility({ name: 'old' })] }).facilities).toEqual([])
  })

  test('a service claimed by another facility passes to that one', () => {
    const taker = madeFrom({ name: 'new', service: 'old' }, { name: 'old' })
    const plan = planCases([{ ...taker, observed: { ...gone.observed, service: 'old' } }], present)
    expect(plan.facilities.map(({ name }) => name)).toEqual(['new'])
    expect(plan.facilities[0]?.blocked).toBeUndefined()
    expect(acts(facilityIn(plan, 'new'))).toContain('install definition-changed')
  })

  const states = { running: 3, starting: 3, stopping: 3, stopped: 2, failed: 2, absent: 2, unknown: 0 } as const
  for (const [state, steps] of Object.entries(states)) {
    test(`observed ${state}: ${steps === 3 ? 'stopped first' : steps === 2 ? 'removed' : 'nothing'}`, () => {
      const observed = { ...gone.observed, state: state as keyof typeof states, message: 'it says nothing' }
      const plan = facilityIn(planCases([], { ...present, services: { [gone.key]: observed } }), 'old')
      expect(plan.steps).toHaveLength(steps)
      if (state === 'unknown') {
        expect(plan.blocked).toBe('it is to be removed, but its state is unknown: it says nothing')
        expect(plan.change).toBe('none')
      }
    })
  }

  test('E7: a service that was not observed is not removed', () => {
    const plan = facilityIn(planCases([], { owned: [gone.location] }), 'old')
    expect(plan.steps).toEqual([])
    expect(plan.blocked).toBe('it is to be removed, but its state is unknown: the supervisor said nothing of it')
  })

  test('a file that a declared facility has now stays with that one', () => {
    const taker = notThere({ name: 'new', files: [{ path: '/etc/old', content: 'x' }] })
    const plan = planCases([withFile(taker, '/etc/old', 'x')], present)
    expect(acts(facilityIn(plan, 'old'))).toEqual(['stop pruned', 'remove pruned'])
    expect(facilityIn(plan, 'new').blocked).toBeUndefined()
  })

  test('a facility with two services loses both, as one removal', () => {
    const second = ownedAt({ name: 'old', supervisor: 'beta' })
    const plan = planCases([], {
      owned: [second.location, gone.location],
      services: { [gone.key]: gone.observed, [second.key]: second.observed },
    })
    expect(plan.summary.remove).toBe(1)
    expect(facilityIn(plan, 'old').steps.map(step => step.id)).toEqual([
      'old/stop',
      'old/remove-file:/etc/old',
      'old/remove',
      'old/stop@beta/old',
      'old/remove@beta/old',
    ])
  })
})

describe('down', () => {
  const one = ownedAt({ name: 'one' })
  const two = ownedAt({ name: 'two', prune: false })
  const all: PlanOptions = {
    owned: [one.location, two.location],
    services: { [one.key]: one.observed, [two.key]: two.observed },
  }

  test('removes everything owned, or what is named, including unpruned facilities', () => {
    const everything = makeRemovalPlan(undefined, { snapshot: worldOf(all), owner: OWNER }, sha256)
    expect(everything.facilities.map(acts)).toEqual([
      ['stop requested', 'remove requested'],
      ['stop requested', 'remove requested'],
    ])
    const named = makeRemovalPlan(['two', 'three'], { snapshot: worldOf(all), owner: OWNER }, sha256)
    expect(named.facilities.map(({ name }) => name)).toEqual(['two'])
    expect(makeRemovalPlan([], { snapshot: worldOf(all), owner: OWNER }, sha256).facilities).toEqual([])
  })
})

describe('E8: a definition that only adds to a service of somebody else', () => {
  const added = (row: PlanningCase): PlanningCase => {
    const { definition } = row.target
    return definition ? { ...row, target: { ...row.target, definition: { ...definition, isAddition: true } } } : row
  }
  const ownership = { ...markerOf(makeFacility(web)), isAddition: true }

  test('needs no adoption', () => {
    const plan = planOne(added(unowned(web, { enabled: false })))
    expect(acts(plan)).toEqual(['install new', 'enable new', 'restart new'])
  })

  test('overwrites neither a file in its place nor an addition of another Reeve', () => {
    const row = added(unowned(web))
    expect(planOne(withFile(row, definitionPathOf(row), 'theirs')).blocked).toContain('adopt: true')
    const theirs = { ...ownership, owner: 'edge' }
    expect(planOne(added(unowned(web, { ownership: theirs }))).blocked).toContain('owner edge')
  })

  test('needs a service to add to', () => {
    expect(planOne(added(notThere(web))).blocked).toContain('install the package that brings it')
  })

  test('E1: is removed once the manifest adds nothing, with its files, and the service is restarted', () => {
    const plain: Declaration = { name: 'web', command: null }
    const marker = { ...ownership, files: ['/etc/old'] }
    const found = { ownership: marker, definitionFiles: ['/added'] }
    const row = withFile(madeFrom(plain, web, found), '/added', 'old\n')
    const plan = planOne(row)
    expect(acts(plan)).toEqual(['remove-file file-dropped', 'remove definition-changed', 'restart definition-changed'])
    expect(plan).toMatchObject({ change: 'change', steps: [{}, { diff: expect.stringContaining('-old') }, {}] })
    expect(acts(planOne(withoutRecord(row)))).toContain('remove definition-changed')
    const lastOf = (onChange: OnChange, more: Partial<Observed> = {}): string | undefined =>
      acts(planOne(madeFrom({ ...plain, onChange }, web, { ...found, ...more }))).at(-1)
    expect(lastOf('none')).toBe('remove definition-changed')
    expect(lastOf('reload')).toBe('reload definition-changed')
    expect(lastOf('reload', { canReload: false })).toBe('restart definition-changed')
    expect(lastOf('restart', { state: 'stopped' })).toBe('start stopped')
    const theirs = { ...found, ownership: { ...marker, owner: 'edge' } }
    expect(acts(planOne(madeFrom(plain, web, theirs)))).toEqual([])
    expect(acts(planOne(madeFrom(plain, web, { ownership: markerOf(makeFacility(web)) })))).toEqual([])
  })

  test('is removed without stopping the service', () => {
    const gone = ownedAt(web, { ownership, state: 'running' })
    const plan = planCases([], { owned: [gone.location], services: { [gone.key]: gone.observed } })
    expect(plan.facilities.map(acts)).toEqual([['remove pruned']])
  })

  test('moves without stopping the service that it leaves', () => {
    const old = ownedAt({ ...web, service: 'old' }, { ownership, state: 'running' })
    const row = added(unowned(web))
    const plan = planCases([row], { owned: [old.location], services: { [old.key]: old.observed } })
    expect(acts(facilityIn(plan, 'web')).some(act => act.startsWith('stop'))).toBe(false)
  })
})

describe('E9: the removal guard', () => {
  const limit = { count: 2, fraction: 0.5 }
  const rows: [removed: number, owned: number, allowed: number | undefined, passes: boolean][] = [
    [0, 0, undefined, true],
    [1, 1, undefined, true],
    [2, 2, undefined, true],
    [3, 3, undefined, false],
    [3, 5, undefined, false],
    [3, 6, undefined, true],
    [4, 6, undefined, false],
    [4, 6, 3, false],
    [4, 6, 4, true],
    [4, 6, 5, true],
    [50, 100, undefined, true],
    [51, 100, undefined, false],
  ]
  for (const [removed, owned, allowed, passes] of rows) {
    test(`${removed} of ${owned}, ${allowed ?? 'none'} allowed: ${passes ? 'goes ahead' : 'refused'}`, () => {
      const facilities = Array.from({ length: removed }, (_, index) => removal(`s${index}`))
      const problem = findRemovalProblem(
        { facilities: [...facilities, kept('web')] },
        owned,
        limit,
        'reeve apply',
        allowed,
      )
      expect(problem === undefined).toBe(passes)
    })
  }

  test('names the flag and the facilities', () => {
    const facilities = ['a', 'b', 'c'].map(removal)
    expect(findRemovalProblem({ facilities }, 3, limit, 'reeve apply')).toMatchInlineSnapshot(
      `"3 of the 3 owned facilities would be removed, which is over the limit (more than 2 and more than 50 %): a, b, c. If that is meant, allow it with \`reeve apply --allow-removals 3\`; else look for what is missing in the manifests."`,
    )
  })

  test('follows the limits of the host configuration', () => {
    const facilities = ['a', 'b', 'c'].map(removal)
    expect(findRemovalProblem({ facilities }, 3, { count: 3, fraction: 0 }, 'reeve apply')).toBeUndefined()
    expect(findRemovalProblem({ facilities }, 100, { count: 0, fraction: 0.02 }, 'reeve apply')).toContain(
      '3 of the 100',
    )
  })
})

/** Definition of two files, of which the second does not exist. */
function withSecondFile(row: PlanningCase): PlanningCase {
  const { definition } = row.target
  if (!definition) throw new Error('expected a definition')
  const files = [...definition.files, { path: '/definitions/more', content: 'more\n', mode: 0o644 }]
  const target = { ...row.target, definition: { ...definition, files } }
  return withFile({ ...row, target }, '/definitions/more', { kind: 'absent' })
}

function worldOf({ owned = [], services = {} }: PlanOptions) {
  return { owned, services: new Map(Object.entries(services)), unavailable: new Map(), files: new Map() }
}

function removal(name: string): FacilityPlan {
  return { name, supervisor: 'alpha', service: name, change: 'remove', steps: [] }
}

function kept(name: string): FacilityPlan {
  return { ...removal(name), change: 'change' }
}
