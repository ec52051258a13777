import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import type { ResolvedFacility } from '../../src/core/model/resolved-facility.ts'
import type { FacilityPlan } from '../../src/core/plan/step.ts'
import { conditionsOf, findCondition } from '../../src/core/reconcile/conditions.ts'
import { readinessOf } from '../../src/core/state/readiness.ts'
import { locationKey } from '../../src/core/state/snapshot.ts'
import { openReport } from '../runner/report.ts'
import { assertReported, openPropertyReport } from '../runner/reported-property.ts'
import { converge, type Pass } from '../simulation/convergence.ts'
import { healthOf, readinessIn } from '../simulation/execution.ts'
import { changes } from '../simulation/generation.ts'
import { refreshHost, type SimulatedHost } from '../simulation/simulated-host.ts'
import { holdersOf, NOW } from '../simulation/simulated-process.ts'
import { type Scene, stage, undisturbed } from '../simulation/stage.ts'

/** Each property takes a second at most; but the machine may be busy. */
vi.setConfig({ testTimeout: 60_000 })

/** The same stories in every run, which are those of the planning properties. */
const runs = { seed: 20_240_607, numRuns: Number(process.env.REEVE_PROPERTY_RUNS ?? 150) }

const report = openPropertyReport(
  'property-planning-kinds',
  'Properties of services that are not well, over stories of a simulated host',
)
const kinds = openReport('property-planning-kinds-met', 'How often stories met each kind', ['KIND', 'TIMES'])

/** A property about a kind that no story had can't fail. */
const met = {
  'hung service': 0,
  'crash loop': 0,
  'port that another has': 0,
  'health check answered by another': 0,
  'program that writes its files as it ends': 0,
  'move that is rolled back': 0,
  rename: 0,
  'service with two names': 0,
  'services that conflict': 0,
}

function check(property: (scene: Scene, end: Pass) => void): void {
  assertReported(
    report,
    fc.property(changes, story => {
      const scene = stage(story)
      property(scene, undisturbed(scene, story))
    }),
    runs,
  )
}

/** Facilities declared running that nothing keeps Reeve from reconciling. */
function findWanted({ targets }: Scene, { plan }: Pass): ResolvedFacility[] {
  const blocked = new Set(plan.facilities.filter(one => one.blocked !== undefined).map(({ name }) => name))
  return targets.filter(
    ({ facility: { name, state, suspend } }) => state === 'running' && !suspend && !blocked.has(name),
  )
}

function isTaken({ facility }: ResolvedFacility, host: SimulatedHost): boolean {
  const check = facility.health?.check
  const holders = check?.type === 'tcp' ? holdersOf(host, check.port) : []
  return holders.length > 0 && !holders.includes(locationKey(facility))
}

describe('failing services', () => {
  test('E11: a service that exits again and again is CrashLooping, and never up to date', () => {
    check((scene, end) => {
      for (const target of findWanted(scene, end)) {
        const found = end.host.services.get(locationKey(target.facility))
        if (!found || found.packaged || (found.restarts ?? 0) < 2) continue
        met['crash loop'] += 1
        const readiness = readinessIn(end.host, target)
        expect(readiness).toMatchObject({ ready: false, reason: 'CrashLooping' })
        const conditions = conditionsOf({ readiness, suspended: false, failures: 0 }, [], '')
        expect(findCondition(conditions, 'Reconciling')?.reason).not.toBe('AsDeclared')
        expect(findCondition(conditions, 'CrashLooping')?.status).toBe('True')
      }
    })
  })

  test('a service whose port another one has is not ready, even if the other answers its health check', () => {
    check((scene, end) => {
      for (const target of findWanted(scene, end)) {
        if (!isTaken(target, end.host)) continue
        const found = end.host.services.get(locationKey(target.facility))
        // A service that was not restarted continues where it was.
        if (found?.state === 'running' && (found.restarts ?? 0) === 0) continue
        met['port that another has'] += 1
        if (healthOf(target, end.host) === 'healthy') met['health check answered by another'] += 1
        expect(readinessIn(end.host, target).ready).toBe(false)
      }
    })
  })

  test('a service that answers no probe is not ready', () => {
    check((scene, end) => {
      for (const target of findWanted(scene, end)) {
        const { facility } = target
        const isAsked = facility.health !== undefined && healthOf(target, end.host) === 'starting'
        if (!isAsked || end.host.services.get(locationKey(facility))?.state !== 'running') continue
        met['hung service'] += 1
        expect(readinessIn(end.host, target).ready).toBe(false)
      }
    })
  })

  test('no service is ready before it has run for readySeconds', () => {
    check((scene, end) => {
      const { services } = refreshHost(end.host, scene.targets)
      for (const target of findWanted(scene, end)) {
        const { facility } = target
        const observed = services.get(locationKey(facility))
        if (observed?.state !== 'running') continue
        const young = { ...observed, since: NOW - facility.readyAfter + 1 }
        expect(readinessOf(facility, young, healthOf(target, end.host), NOW).ready).toBe(false)
      }
    })
  })

  test('E21: contradicting facilities get no step, name each other, and do not flap', () => {
    check((scene, end) => {
      for (const event of end.events)
        met[event === 'rolled back' ? 'move that is rolled back' : 'program that writes its files as it ends'] += 1
      if (end.plan.facilities.some(({ renamedFrom }) => renamedFrom !== undefined)) met.rename += 1
      for (const [one, other] of findPairs(scene)) {
        const [here, there] = [one, other].map(name => end.plan.facilities.find(facility => facility.name === name))
        if (!here || !there || isBlockedOtherwise(here) || isBlockedOtherwise(there)) continue
        expect(here.blocked).toContain(other)
        expect(there.blocked).toContain(one)
      }
      // A failed step is retried, but an applied one is never reverted.
      const { passes } = converge(end, scene.targets)
      expect(passes).toBeLessThanOrEqual(MOST_PASSES)
    })
  })

  test('every kind occurred', () => {
    for (const [kind, count] of Object.entries(met)) kinds.add(kind, count)
    expect(Object.entries(met).filter(([, count]) => count === 0)).toEqual([])
  })
})

/** After the first pass, which applies everything possible. */
const MOST_PASSES = 2

/** Facilities that are one service, or whose services conflict and are both declared running. */
function findPairs({ before, targets }: Scene): [string, string][] {
  const { ties } = refreshHost(before.host, targets)
  const pairs: [string, string][] = []
  for (const { facility } of targets) {
    const { relations = [], identities = [] } = ties?.get(locationKey(facility)) ?? {}
    for (const { facility: other } of targets) {
      if (other.name === facility.name) continue
      const found = ties?.get(locationKey(other))?.identities ?? []
      const isSame = identities.some(one => found.includes(one))
      const areUp = [facility, other].every(({ state, suspend }) => state === 'running' && !suspend)
      const conflict = areUp && relations.some(({ to }) => found.includes(to))
      if (isSame) met['service with two names'] += 1
      if (conflict) met['services that conflict'] += 1
      if (isSame || conflict) pairs.push([facility.name, other.name])
    }
  }
  return pairs
}

function isBlockedOtherwise({ blocked, suspended }: FacilityPlan): boolean {
  if (suspended) return true
  return (
    blocked !== undefined && !blocked.includes("it can't run beside") && !blocked.includes('it is the same service')
  )
}
