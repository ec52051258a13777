import { describe, expect, test } from 'vitest'
import type { Observed } from '../../../../src/core/state/observed.ts'
import { type Declaration, JOB } from '../../../simulation/declaration.ts'
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
  withFile,
  withoutRecord,
} from '../../../simulation/planning-case.ts'

const before: Declaration = { name: 'web' }
const after: Declaration = { name: 'web', supervisor: 'beta' }

/** Facility whose service is still where the older manifest had it. */
function moved(newer: Declaration, older: Declaration, found: Partial<Observed> = {}): [PlanningCase, PlanOptions] {
  const old = ownedAt(older, found)
  const row = notThere(newer)
  const { applied } = madeFrom(newer, older)
  return [
    { ...row, ...(applied ? { applied } : {}) },
    { owned: [old.location], services: { [old.key]: old.observed } },
  ]
}

describe('E14: a move', () => {
  test('to another supervisor installs the new, stops the old, starts the new, removes the old', () => {
    const plan = planOne(...moved(after, before))
    expect(plan.change).toBe('change')
    expect(plan).toMatchObject({ supervisor: 'beta', service: 'web' })
    expect(plan.steps.map(step => step.id)).toEqual([
      'web/install',
      'web/enable',
      'web/stop@alpha/web',
      'web/start',
      'web/remove@alpha/web',
    ])
    expect(acts(plan)).toEqual(['install new', 'enable enablement', 'stop moved', 'start moved', 'remove moved'])
    expect(plan.steps[2]?.target).toEqual({ supervisor: 'alpha', service: 'web' })
    expect(plan.steps.slice(1).map(step => step.needs)).toEqual(plan.steps.slice(0, -1).map(step => [step.id]))
    expect(plan.rollback).toMatchObject({ to: { supervisor: 'alpha', service: 'web' }, from: 'web/stop@alpha/web' })
    expect(plan.rollback?.steps.map(step => step.id)).toEqual(['web/stop', 'web/disable', 'web/start@alpha/web'])
  })

  test('of a facility whose manifest is the same, as its supervisor has other directories now, is a change and no drift', () => {
    const old = ownedAt({ ...before, supervisor: 'alpha~01234567' })
    const { applied } = asDeclared(before)
    // The definition that was applied was in the other directory.
    const row = { ...notThere(before), ...(applied && { applied: { ...applied, parts: [] } }) }
    const plan = planOne(row, { owned: [old.location], services: { [old.key]: old.observed } })
    expect(plan.change).toBe('change')
    expect(acts(plan)).toContain('stop moved')
    expect(plan.steps.map(({ reason }) => reason)).not.toContain('definition-drift')
  })

  test('is a change, also without a record of the last applied state', () => {
    const [row, old] = moved(after, before)
    expect(planOne(withoutRecord(row), old).change).toBe('change')
  })

  test('E8: does not take a record of another place for ownership here', () => {
    const [row] = moved(after, before)
    const [renamed] = moved({ name: 'web', service: 'www' }, before)
    for (const { observed, ...rest } of [row, renamed]) {
      const taken = { ...rest, observed: { ...(observed as Observed), state: 'stopped' } as const }
      expect(planOne(taken).blocked).toContain('not managed by Reeve')
    }
  })

  test('to another service name takes the same steps', () => {
    const plan = planOne(...moved({ name: 'web', service: 'www' }, before))
    expect(plan.steps.map(step => step.id)).toEqual([
      'web/install',
      'web/enable',
      'web/stop@alpha/web',
      'web/start',
      'web/remove@alpha/web',
    ])
    expect(plan.service).toBe('www')
  })

  test('E4: that was cut off anywhere is continued by the next plan', () => {
    // The record is of the old place: the facility was never applied at the new one.
    const { applied } = asDeclared(before)
    const installed = {
      ...madeFrom(after, after, { state: 'stopped', enabled: false }),
      ...(applied ? { applied } : {}),
    }
    const [, old] = moved(after, before)
    expect(planOne(installed, old).steps.map(step => step.id)).toEqual([
      'web/enable',
      'web/stop@alpha/web',
      'web/start',
      'web/remove@alpha/web',
    ])
    const [, stopped] = moved(after, before, { state: 'stopped' })
    expect(acts(planOne(installed, stopped))).toEqual(['enable enablement', 'start moved', 'remove moved'])
    expect(acts(planOne(madeFrom(after, after), stopped)), 'the new one runs').toEqual(['remove moved'])
  })

  test('E4: does not repeat a job that finished at the new place before the cut', () => {
    const job: Declaration = { name: 'job', command: JOB, restart: 'never' }
    const [, old] = moved({ ...job, supervisor: 'beta' }, job, { state: 'stopped', completed: true })
    const done = madeFrom(
      { ...job, supervisor: 'beta' },
      { ...job, supervisor: 'beta' },
      { state: 'stopped', completed: true },
    )
    expect(acts(planOne(done, old))).toEqual(['remove moved'])
    const fresh = { ...done, observed: { ...(done.observed as Observed), completed: false } }
    expect(acts(planOne(fresh, old)), 'a job that moves does its work at the new place').toEqual([
      'start moved',
      'remove moved',
    ])
  })

  test('that failed is tried again, even if the restart policy is never', () => {
    const never: Declaration = { name: 'web', restart: 'never' }
    const [, old] = moved({ ...never, supervisor: 'beta' }, never)
    const target = { ...never, supervisor: 'beta' }
    expect(acts(planOne(madeFrom(target, target, { state: 'failed' }), old))).toEqual([
      'stop moved',
      'start moved',
      'remove moved',
    ])
  })

  test('of a facility that is declared stopped stops and removes, and starts nothing', () => {
    const plan = planOne(...moved({ ...after, state: 'stopped', enabled: false }, before))
    expect(plan.steps.map(step => step.id)).toEqual(['web/install', 'web/stop@alpha/web', 'web/remove@alpha/web'])
  })

  test('E7: touches neither side while the state of the old service is unknown', () => {
    const [row, old] = moved(after, before, { state: 'unknown', message: 'it hangs' })
    const plan = planOne(row, old)
    expect(plan.steps).toEqual([])
    expect(plan.blocked).toBe('the state of its old service alpha/web is unknown: it hangs')
  })

  test('E7: touches neither side while the old service was not observed', () => {
    const [row, { owned = [] }] = moved(after, before)
    const plan = planOne(row, { owned })
    expect(plan.steps).toEqual([])
    expect(plan.blocked).toBe('the state of its old service alpha/web is unknown: the supervisor said nothing of it')
  })

  test('E7: is blocked by an unavailable old supervisor, and the message names the ways out', () => {
    const [row] = moved(after, before)
    const plan = planOne(row, { unavailable: { alpha: 'its socket refuses' } })
    expect(plan.steps).toEqual([])
    expect(plan.blocked).toBe(
      "it was under supervisor alpha, which is unavailable (its socket refuses), so it can't be stopped there first: " +
        'bring that supervisor back, or, if it is gone for good, give the facility another name',
    )
  })

  test('E8: with a blocked new place leaves the old service running', () => {
    const [row, old] = moved(after, before)
    const taken = { ...row, observed: { ...(row.observed as Observed), state: 'running', enabled: true } as const }
    expect(planOne(taken, old)).toMatchObject({ steps: [], change: 'none' })
    expect(planOne(taken, old).blocked).toContain('not managed by Reeve')
  })

  test('leaves an old place that another facility claims to that one', () => {
    const [row, old] = moved(after, before)
    const taker = madeFrom({ name: 'www', service: 'web' }, before)
    const plan = planCases([row, taker], old)
    expect(facilityIn(plan, 'web').steps.map(step => step.id)).toEqual(['web/install', 'web/enable', 'web/start'])
    expect(acts(facilityIn(plan, 'www'))).toContain('install definition-changed')
  })

  test('ignores a service of the same facility that another Reeve owns', () => {
    const [row, { owned = [], services = {} }] = moved(after, before)
    const theirs = owned.map(entry => ({ ...entry, ownership: { ...entry.ownership, owner: 'edge' } }))
    expect(planOne(row, { owned: theirs, services }).steps.map(step => step.id)).toEqual([
      'web/install',
      'web/enable',
      'web/start',
    ])
  })

  test('from two old places stops both before the start and removes both after it', () => {
    const [row] = moved(after, before)
    const old = [ownedAt(before), ownedAt({ name: 'web', service: 'www' }, { state: 'stopped' })]
    const plan = planOne(row, {
      owned: old.map(({ location }) => location),
      services: Object.fromEntries(old.map(({ key, observed }) => [key, observed])),
    })
    expect(plan.steps.map(step => step.id)).toEqual([
      'web/install',
      'web/enable',
      'web/stop@alpha/web',
      'web/start',
      'web/remove@alpha/web',
      'web/remove@alpha/www',
    ])
  })

  test('keeps files of both sides; a file dropped meanwhile goes before the marker that names it', () => {
    const both = { path: '/etc/both', content: 'x' }
    const older = { ...before, files: [both, { path: '/etc/dropped', content: 'y' }] }
    const [row, old] = moved({ ...after, files: [both] }, older)
    const plan = planOne(withFile(row, '/etc/both', 'x'), old)
    expect(plan.blocked).toBeUndefined()
    expect(plan.steps.map(step => step.id)).toEqual([
      'web/install',
      'web/enable',
      'web/stop@alpha/web',
      'web/start',
      'web/remove-file:/etc/dropped@alpha/web',
      'web/remove@alpha/web',
    ])
    expect(acts(plan).slice(-2)).toEqual(['remove-file file-dropped', 'remove moved'])
  })

  test('of a suspended facility does not happen', () => {
    const suspended = planOne(...moved({ ...after, suspend: true }, before))
    expect(suspended).toMatchObject({ steps: [], suspended: true })
    expect(suspended.rollback).toBeUndefined()
  })

  test('E13: has dependents wait for the start at the new place', () => {
    const [row, old] = moved(after, before)
    const front = notThere({ name: 'front', dependsOn: ['web'] })
    const start = facilityIn(planCases([row, front], old), 'front').steps.find(step => step.verb === 'start')
    expect(start?.needs).toEqual(['front/enable', 'web/start'])
  })
})
