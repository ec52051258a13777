import { expect, test } from 'vitest'
import type { Status } from '../../../../src/core/contracts/status.ts'
import type { ResolvedFacility } from '../../../../src/core/model/resolved-facility.ts'
import type { FacilityPlan, Plan } from '../../../../src/core/plan/step.ts'
import {
  createReconcileStore,
  hasWork,
  isSettled,
  type ReconcileStore,
} from '../../../../src/engine/controller/reconcile-store.ts'
import { type StatusGround, viewConditions, viewStatus } from '../../../../src/engine/controller/status-view.ts'
import type { Refresh } from '../../../../src/engine/refresh/refresh.ts'
import { emptyRecord } from '../../../../src/engine/session/state-files.ts'
import type { ManifestSet } from '../../../../src/manifest/manifest-set.ts'
import { makeFacility, resolveFacility } from '../../../simulation/declaration.ts'

const [web, db] = [makeFacility({ name: 'web' }), makeFacility({ name: 'db' })]
const set: ManifestSet = { complete: true, revision: 'one', facilities: [web, db], supervisors: [], diagnostics: [] }

function createBench(): ReconcileStore {
  const store = createReconcileStore(emptyRecord)
  store.manifestsRead(set)
  store.declared([web, db], new Map())
  return store
}

function planOf(...facilities: readonly (Pick<FacilityPlan, 'name'> & Partial<FacilityPlan>)[]): Plan {
  const summary = { add: 0, change: 0, repair: 0, remove: 0, unchanged: 0, blocked: 0 }
  const whole = facilities.map((plan): FacilityPlan => {
    return { supervisor: 'alpha', service: plan.name, change: 'none', steps: [], ...plan }
  })
  return { formatVersion: 1, digest: '', facilities: whole, summary, diagnostics: [] }
}

const start = { id: 'web/start', verb: 'start', reason: 'new', needs: [] } as const

test('the host is settled when no declared facility has steps and nothing is being removed', () => {
  const store = createBench()
  expect(isSettled(store.state)).toBe(false)
  store.planned(planOf({ name: 'web' }, { name: 'db' }), true)
  expect(isSettled(store.state)).toBe(true)
  store.planned(planOf({ name: 'web', steps: [start] }), false)
  expect(isSettled(store.state)).toBe(false)
  store.planned(planOf({ name: 'web', blocked: 'by something' }), false)
  expect(isSettled(store.state)).toBe(false)
  store.planned(planOf({ name: 'web' }, { name: 'db' }, { name: 'gone', change: 'remove' }), true)
  expect([isSettled(store.state), [...store.state.leaving.keys()]]).toEqual([false, ['gone']])
  store.removed('gone')
  store.removalsJudged('too many')
  expect(isSettled(store.state)).toBe(false)
  store.removalsJudged(undefined)
  expect(isSettled(store.state)).toBe(true)
  store.manifestsRead({ ...set, complete: false })
  expect(isSettled(store.state)).toBe(false)
})

test('a removal is work until it has ended, whatever keeps another facility from what is declared', () => {
  const store = createBench()
  const stop = { id: 'gone/stop', verb: 'stop', reason: 'pruned', needs: [] } as const
  store.planned(
    planOf({ name: 'web', blocked: 'by something' }, { name: 'gone', steps: [stop] }, { name: 'kept' }),
    true,
  )
  expect(['web', 'gone', 'kept'].filter(name => hasWork(store.state, name))).toEqual(['gone'])
  store.laneBegins('gone', '')
  store.removed('gone')
  expect(hasWork(store.state, 'gone')).toBe(true)
  store.laneEnded('gone')
  expect(hasWork(store.state, 'gone')).toBe(false)
})

test('a hindrance that is gone allows one retry, until a lane makes it or the facility is no longer declared', () => {
  const store = createBench()
  const free = resolveFacility({ name: 'web' })
  const hindered = { ...free, startProblems: ['/srv/web is missing'] }
  expect(store.hindranceSeen(free)).toBe(false)
  expect(store.hindranceSeen(hindered)).toBe(false)
  expect([...store.state.hindered]).toEqual(['web'])
  expect([store.hindranceSeen(free), store.hindranceSeen(free)]).toEqual([true, false])
  store.laneBegins('web', web.digest)
  expect([store.state.encouraged.size, store.laneEnded('web')]).toEqual([0, { digest: web.digest, isEncouraged: true }])
  expect(store.laneEnded('web')).toBeUndefined()
  store.hindranceSeen(hindered)
  store.hindranceSeen(free)
  store.declared([db], new Map())
  expect(store.state.encouraged.size).toBe(0)
})

test('reconciling is held back until the last who asked for that has released it', () => {
  const store = createBench()
  store.heldBack()
  store.heldBack()
  store.releasedAgain()
  expect(store.state.isHeldBack).toBe(true)
  store.releasedAgain()
  expect(store.state.isHeldBack).toBe(false)
})

const refreshOf = (...targets: readonly ResolvedFacility[]): Refresh => ({
  snapshot: { services: new Map(), owned: [], unavailable: new Map(), files: new Map() },
  targets,
  availability: new Map(),
})

test('plans of facilities that are no longer declared are kept until the next look', () => {
  const store = createBench()
  store.planned(planOf({ name: 'web' }, { name: 'db' }), true)
  store.declared([web], new Map())
  expect([...store.state.plans.keys()]).toEqual(['web', 'db'])
  store.refreshed(refreshOf(), '2026-01-01T00:00:01.000Z')
  expect([[...store.state.plans.keys()], store.state.lastPass]).toEqual([['web'], '2026-01-01T00:00:01.000Z'])
})

test('E1: a facility has to be looked at again once its lane has ended or its manifest has changed', () => {
  const store = createBench()
  const resolved = () => [...store.state.resolved.keys()]
  store.refreshed(refreshOf(resolveFacility({ name: 'web' }), resolveFacility({ name: 'db' })), '')
  expect(resolved()).toEqual(['web', 'db'])
  store.laneBegins('web', web.digest)
  store.laneEnded('web')
  expect(resolved()).toEqual(['db'])
  store.declared([web, { ...db, suspend: true }], new Map())
  expect(resolved()).toEqual(['db'])
  store.declared([web, { ...db, digest: 'another' }], new Map())
  expect(resolved()).toEqual([])
})

test('status is read-only: a condition lasts from when the controller saw it', () => {
  const store = createBench()
  const { state } = store
  const ground: StatusGround = {
    state,
    executor: { activity: () => undefined },
    tracker: {
      observed: () => undefined,
      health: () => 'none',
      readiness: () => ({ ready: true, reason: 'Ready', message: '' }),
    },
    retries: { failures: () => ({ count: 0, message: undefined }) },
    undoings: { undoneByOthers: () => undefined },
    isReporting: false,
  }
  const facts = { owner: 'default', suspended: new Set<string>(), unwritable: [], atBoot: undefined, pid: 1, since: '' }
  const sinceOf = ({ facilities }: Status) => facilities.map(({ conditions }) => conditions[0]?.since)
  const at = (second: number): string => new Date(second * 1_000).toISOString()
  expect(sinceOf(viewStatus(ground, facts, 1_000))).toEqual([at(1), at(1)])
  expect(state.conditions.size).toBe(0)
  store.conditionsSeen('web', viewConditions(web, ground, 2_000))
  expect(sinceOf(viewStatus(ground, facts, 3_000))).toEqual([at(3), at(2)])
})
