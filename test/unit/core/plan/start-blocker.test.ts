import { describe, expect, test } from 'vitest'
import { withBlocker } from '../../../../src/core/plan/blocking.ts'
import type { Observed } from '../../../../src/core/state/observed.ts'
import { readinessOf } from '../../../../src/core/state/readiness.ts'
import type { Declaration } from '../../../simulation/declaration.ts'
import {
  asDeclared,
  facilityIn,
  madeFrom,
  notThere,
  ownedAt,
  type PlanningCase,
  planCases,
  withFile,
  withoutRecord,
} from '../../../simulation/planning-case.ts'

const older: Declaration = { name: 'web', command: ['/bin/daemon', '1'] }
const newer: Declaration = { name: 'web', command: ['/bin/daemon', '2'] }

function without(row: PlanningCase, problem = 'there is no program /bin/daemon'): PlanningCase {
  return { ...row, target: { ...row.target, startProblems: [problem] } }
}

function verbsOf(row: PlanningCase): string[] {
  return facilityIn(planCases([row]), 'web').steps.map(({ verb }) => verb)
}

function blockOf(row: PlanningCase): string | undefined {
  return facilityIn(planCases([row]), 'web').blocked
}

describe('a start blocker', () => {
  const risks: [string, Partial<Observed>][] = [
    ['runs', {}],
    ['is starting', { state: 'starting', pid: 7 }],
    ['has failed once and runs again', { restarts: 1 }],
    ['has lost its supervisor', { supervised: false }],
  ]
  test.each(risks)('leaves alone a service that %s', (_, found) => {
    const row = without(madeFrom(newer, older, found))
    expect(verbsOf(row)).toEqual([])
    expect(blockOf(row)).toBe(
      'what is declared could not be started: there is no program /bin/daemon. The service goes on as it is until that is put right',
    )
    expect(planCases([row]).summary).toMatchObject({ blocked: 1, change: 0, unchanged: 0 })
  })

  const lost: [string, Partial<Observed>][] = [
    ['is stopped', { state: 'stopped' }],
    ['has failed', { state: 'failed' }],
    ['is in a crash loop, between two failures', { restarts: 2 }],
  ]
  test.each(lost)('does not hold back a service that %s', (_, found) => {
    const row = without(madeFrom(newer, older, found))
    expect(blockOf(row)).toBeUndefined()
    expect(verbsOf(row)).toContain('install')
  })

  test('does not hold back a service that waits for its next start', () => {
    const row = without(madeFrom(newer, older, { state: 'starting', restarts: 1 }))
    const { pid: _, ...observed } = row.observed ?? { service: 'web', state: 'absent', enabled: true, supervised: true }
    expect(blockOf({ ...row, observed })).toBeUndefined()
  })

  test('does not hold back a new service', () => {
    expect(verbsOf(without(notThere(newer)))).toEqual(['install', 'enable', 'start'])
  })

  test('holds back a move', () => {
    const old = ownedAt({ ...older, supervisor: 'runit' })
    const more = { services: { [old.key]: old.observed }, owned: [old.location] }
    const moved = notThere({ ...older, supervisor: 's6' })
    expect(facilityIn(planCases([moved], more), 'web').steps.map(({ verb }) => verb)).toContain('stop')
    const plan = facilityIn(planCases([without(moved)], more), 'web')
    expect(plan.steps).toEqual([])
    expect(plan.blocked).toContain('there is no program /bin/daemon')
  })

  test('does not affect a service that is up to date, or only needs a new marker', () => {
    expect(blockOf(without(asDeclared(older)))).toBeUndefined()
    expect(planCases([without(asDeclared(older))]).summary.unchanged).toBe(1)
    const row = asDeclared(older)
    const path = row.target.definition?.files[0]?.path ?? ''
    expect(verbsOf(without(withFile(row, path, 'edited by somebody')))).toEqual(['install'])
  })

  test('does not keep a service from being disabled', () => {
    const row = without(madeFrom({ ...newer, enabled: false }, older))
    expect(verbsOf(row)).toEqual(['disable'])
    expect(blockOf(row)).toContain('there is no program')
    expect(planCases([row]).summary).toMatchObject({ blocked: 1, change: 1, unchanged: 0 })
  })

  test('does not block dependents of a running service', () => {
    const dependent = notThere({ name: 'app', dependsOn: ['web'] })
    const plan = planCases([without(madeFrom(newer, older)), dependent])
    expect(facilityIn(plan, 'app').blocked).toBeUndefined()
  })
})

describe('S8: a blocked facility', () => {
  const declared: Declaration = { ...older, files: [{ path: '/srv/web/web.conf', content: 'a' }] }
  const stopped: Declaration = { ...declared, state: 'stopped', enabled: false }
  const planted = { kind: 'other', problem: '/srv/web/web.conf is a symlink; remove the link' } as const

  test.each([
    ['a planted symlink', (row: PlanningCase) => withFile(row, '/srv/web/web.conf', planted)],
    [
      'a path that cannot be handled',
      (row: PlanningCase) => ({
        ...row,
        target: { ...row.target, problems: ['spec.process.environmentFiles: closed'] },
      }),
    ],
  ])('is stopped and disabled despite %s', (_, change) => {
    const row = change(madeFrom(stopped, declared))
    expect(blockOf(row)).toBeDefined()
    expect(verbsOf(row)).toEqual(['disable', 'stop'])
    expect(planCases([row]).summary).toMatchObject({ blocked: 1, unchanged: 0 })
    const down = change(madeFrom(stopped, declared, { state: 'stopped', enabled: false }))
    expect(verbsOf(down)).toEqual([])
    expect(blockOf(down)).toBeDefined()
  })

  test('is not moved: the old service keeps running', () => {
    const files = declared.files ?? []
    const old = ownedAt({ ...declared, supervisor: 'runit' })
    const more = { services: { [old.key]: old.observed }, owned: [old.location] }
    const first = notThere({ name: 'first', files: [{ path: '/srv/first.conf', content: '' }] })
    const dependent = notThere({ ...declared, files, state: 'unmanaged', supervisor: 's6', dependsOn: ['first'] })
    const moved = facilityIn(planCases([first, dependent], more), 'web')
    expect(moved.steps.map(({ id }) => id)).toContain('web/stop@runit/web')
    expect(withBlocker(moved, 'whatever').steps).toEqual([])
  })

  test('gets no other step', () => {
    const changed: Declaration = { ...newer, files: [{ path: '/srv/web/web.conf', content: 'b' }] }
    const row = withFile(madeFrom(changed, declared), '/srv/web/web.conf', planted)
    expect(verbsOf(row)).toEqual([])
  })

  test.each([
    [
      'owned by another Reeve',
      { ownership: { owner: 'other', facility: 'web', files: [], dependsOn: [], prune: true } },
    ],
    ['unknown', { state: 'unknown' }],
  ] satisfies [string, Partial<Observed>][])('is left alone if its service is %s', (_, found) => {
    const row = withFile(madeFrom(stopped, declared, found), '/srv/web/web.conf', planted)
    expect(verbsOf(withoutRecord(row))).toEqual([])
  })

  test('is left alone while its supervisor is unavailable', () => {
    const row = withFile(madeFrom(stopped, declared), '/srv/web/web.conf', planted)
    const unavailable = { [row.target.facility.supervisor]: 'it is down' }
    expect(facilityIn(planCases([row], { unavailable }), 'web').steps).toEqual([])
  })
})

test('a service that should always run never counts as completed, even if its supervisor gave up', () => {
  const over = { state: 'stopped', completed: true } as const
  expect(verbsOf(asDeclared({ ...older, restart: 'on-failure' }, over))).toEqual([])
  const row = asDeclared(older, over)
  expect(verbsOf(row)).toEqual(['start'])
  const { facility } = row.target
  expect(readinessOf(facility, row.observed, 'none', 0)).toMatchObject({ ready: false, reason: 'Stopped' })
})

test('a start hindrance is part of the readiness message, once', () => {
  const { facility } = notThere(older).target
  const observed = { service: 'web', enabled: true, supervised: true, hindrance: 'there is no program /x' } as const
  const tell = (found: Partial<Observed>): string =>
    readinessOf(facility, { ...observed, state: 'starting', ...found }, 'none', 0).message
  expect(tell({})).toBe('starting; there is no program /x')
  expect(tell({ message: 'it waits' })).toBe('starting: it waits; there is no program /x')
  expect(tell({ message: 'there is no program /x' })).toBe('starting: there is no program /x')
  expect(tell({ restarts: 2, exit: { code: 127 } })).toBe('crash loop: it exited with code 127; there is no program /x')
})
