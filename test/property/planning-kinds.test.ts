import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import type { Facility } from '../../src/core/model/facility.ts'
import type { ResolvedFacility } from '../../src/core/model/resolved-facility.ts'
import type { FacilityPlan, Plan } from '../../src/core/plan/step.ts'
import { findStart } from '../../src/core/plan/step-builder.ts'
import { conditionsOf, findCondition } from '../../src/core/reconcile/conditions.ts'
import { readinessOf } from '../../src/core/state/readiness.ts'
import { locationKey } from '../../src/core/state/snapshot.ts'
import { openReport } from '../runner/report.ts'
import { assertReported, openPropertyReport } from '../runner/reported-property.ts'
import { converge, type Pass } from '../simulation/convergence.ts'
import { healthOf, readinessIn } from '../simulation/execution.ts'
import { changes } from '../simulation/generation.ts'
import {
  readDefinition,
  refreshHost,
  resolve,
  type SimulatedHost,
  type SimulatedService,
} from '../simulation/simulated-host.ts'
import { holdersOf, NOW } from '../simulation/simulated-process.ts'
import { createStagings, type Scene, stories } from '../simulation/stage.ts'

/** Each property takes a second at most; but the machine may be busy. */
vi.setConfig({ testTimeout: 60_000 })

const report = openPropertyReport(
  'property-planning-kinds',
  'Properties of what few stories meet, over stories of a simulated host',
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
  'start where another was': 0,
  'service with two names': 0,
  'services that conflict': 0,
}

const stagingOf = createStagings()

function check(property: (scene: Scene, end: Pass) => void): void {
  assertReported(
    report,
    fc.property(changes, story => {
      const { scene, undisturbed } = stagingOf(story)
      property(scene, undisturbed())
    }),
    stories,
  )
}

/** Facilities declared running that nothing keeps Reeve from reconciling. */
function findWanted({ targets }: Scene, { plan }: Pass): ResolvedFacility[] {
  const blocked = new Set(plan.facilities.filter(one => one.blocked !== undefined).map(({ name }) => name))
  return targets.filter(
    ({ facility: { name, state, suspend } }) => state === 'running' && !suspend && !blocked.has(name),
  )
}

function isNeeded(id: string, by: string, plan: Plan): boolean {
  const needs = plan.facilities.flatMap(({ steps }) => steps).find(step => step.id === by)?.needs ?? []
  return needs.some(need => need === id || isNeeded(id, need, plan))
}

/** By whatever name. */
function serviceOf(facility: Facility, host: SimulatedHost): SimulatedService | undefined {
  return host.services.get(locationKey(resolve(host, facility)))
}

function isTaken({ facility }: ResolvedFacility, host: SimulatedHost): boolean {
  const check = facility.health?.check
  const holders = check?.type === 'tcp' ? holdersOf(host, check.port) : []
  return holders.length > 0 && !holders.includes(locationKey(resolve(host, facility)))
}

function portOf(facility: Facility | undefined): number | undefined {
  const check = facility?.health?.check
  return check?.type === 'tcp' ? check.port : undefined
}

describe('failing services', () => {
  test('E11: a service that exits again and again is CrashLooping, and never up to date', () => {
    check((scene, end) => {
      for (const target of findWanted(scene, end)) {
        const found = serviceOf(target.facility, end.host)
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
        const found = serviceOf(target.facility, end.host)
        // A service that was not restarted continues where it was; a completed job wants its port no more.
        if (found?.completed || (found?.state === 'running' && (found.restarts ?? 0) === 0)) continue
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
        if (!isAsked || serviceOf(facility, end.host)?.state !== 'running') continue
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

  test('E24: a leaving service is stopped before a service that it could meet is started', () => {
    check((scene, { plan, done }) => {
      const targets = new Map(scene.targets.map(target => [target.facility.name, target]))
      const ends = plan.facilities.flatMap(({ name, supervisor, service, change, steps }) =>
        steps.flatMap(step => {
          if (step.verb !== 'stop' && step.verb !== 'restart') return []
          const at = step.target ?? { supervisor, service }
          const { port, directory } = readDefinition(scene.before.host, at.supervisor, at.service)?.process ?? {}
          const kept = targets.get(name)?.facility
          const isUp = change !== 'remove' && kept?.state !== 'stopped'
          return [
            { name, id: step.id, key: port !== undefined && !(isUp && portOf(kept) === port) ? `port ${port}` : '' },
            { name, id: step.id, key: isUp && kept?.process?.workingDirectory === directory ? '' : (directory ?? '') },
          ]
        }),
      )
      for (const { name, steps, supervisor, service } of plan.facilities) {
        const start = findStart(steps)
        const facility = targets.get(name)?.facility
        if (!start || !facility?.process) continue
        const { port, directory } = readDefinition(scene.before.host, supervisor, service)?.process ?? {}
        const keys: string[] = []
        // At its present places it meets nobody anew.
        if (portOf(facility) !== port || start.verb === 'start') keys.push(`port ${portOf(facility)}`)
        if (facility.process.workingDirectory !== directory || start.verb === 'start') {
          keys.push(facility.process.workingDirectory ?? '-')
        }
        for (const end of ends) {
          if (end.name === name || !keys.includes(end.key) || !done.includes(start.id)) continue
          // It needs the start itself, and no restart of it may be made of stop and start: see `isStartedAgain`.
          if (isNeeded(start.id, end.id, plan)) continue
          expect(done.slice(0, done.indexOf(start.id)), `${end.id} before ${start.id}`).toContain(end.id)
          met['start where another was'] += 1
        }
      }
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
