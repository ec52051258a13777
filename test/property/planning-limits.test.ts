import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import type { Facility } from '../../src/core/model/facility.ts'
import type { PlanInput } from '../../src/core/plan/plan-input.ts'
import { makePlan, makeRemovalPlan } from '../../src/core/plan/planning.ts'
import type { Observed, ObservedFile, Ownership } from '../../src/core/state/observed.ts'
import type { OwnedLocation } from '../../src/core/state/snapshot.ts'
import { assertReported, openPropertyReport } from '../runner/reported-property.ts'
import { drawRuns, drawSample } from '../runner/sample.ts'
import { markerOf, OWNER, resolveFacility, sha256 } from '../simulation/declaration.ts'
import { asDeclared, notThere, type PlanningCase, planCases, unowned } from '../simulation/planning-case.ts'

/** Each property takes a second at most; but the machine may be busy. */
vi.setConfig({ testTimeout: 60_000 })

const report = openPropertyReport('property-planning-limits', 'Properties of planning, over rubbish')

const name = fc.constantFrom('a', 'b', 'c', 'd')
const supervisor = fc.constantFrom('alpha', 'beta')
const path = fc.constantFrom('/etc/a', '/etc/b', '/definitions/alpha/a.json')

const ownership: fc.Arbitrary<Ownership> = fc.record({
  owner: fc.constantFrom(OWNER, 'edge'),
  facility: name,
  files: fc.array(path, { maxLength: 2 }),
  dependsOn: fc.array(name, { maxLength: 2 }),
  prune: fc.boolean(),
})

const observed: fc.Arbitrary<Observed> = fc.record(
  {
    service: name,
    state: fc.constantFrom('running', 'starting', 'stopping', 'stopped', 'failed', 'absent', 'unknown'),
    enabled: fc.constantFrom<Observed['enabled'][]>(true, false, 'partly', 'unknown', 'fixed'),
    supervised: fc.boolean(),
    completed: fc.boolean(),
    ownership,
    loaded: fc.constant({ definition: 'x', files: { '/etc/a': 'absent', '/etc/b': 'y' } }),
    pid: fc.nat(),
    message: fc.string(),
  },
  { requiredKeys: ['service', 'state', 'enabled', 'supervised'] },
)

const file: fc.Arbitrary<ObservedFile> = fc.record(
  {
    kind: fc.constantFrom('file', 'absent', 'other'),
    content: fc.uint8Array({ maxLength: 8 }),
    mode: fc.nat({ max: 0o7777 }),
    uid: fc.nat(),
    gid: fc.nat(),
    problem: fc.string(),
  },
  { requiredKeys: ['kind'] },
)

/** Cycles, duplicates, unknown names: input that no valid manifest and no sound refresh would give. */
const target = fc
  .record({
    name,
    supervisor,
    service: name,
    state: fc.constantFrom('running', 'stopped', 'unmanaged'),
    enabled: fc.constantFrom<Facility['enabled'][]>(true, false, 'unmanaged'),
    command: fc.constantFrom(null, ['/bin/daemon']),
    restart: fc.constantFrom('always', 'never'),
    files: fc.array(fc.record({ path, content: fc.string() }), { maxLength: 2 }),
    dependsOn: fc.array(fc.constantFrom('a', 'b', 'c', 'nobody'), { maxLength: 3 }),
    adopt: fc.boolean(),
    suspend: fc.boolean(),
    problems: fc.array(fc.string(), { maxLength: 1 }),
  } as const)
  .map(declaration => resolveFacility(declaration))

const input: fc.Arbitrary<PlanInput> = fc.record({
  targets: fc.array(target, { maxLength: 5 }),
  busy: fc.array(target, { maxLength: 1 }).map(list => list.map(({ facility }) => facility)),
  snapshot: fc.record({
    services: fc.dictionary(fc.constantFrom('alpha/a', 'alpha/b', 'beta/a', 'beta/c'), observed).map(toMap),
    owned: fc.array(fc.record({ supervisor, service: name, ownership }), { maxLength: 4 }),
    unavailable: fc.dictionary(supervisor, fc.string(), { maxKeys: 1 }).map(toMap),
    files: fc.dictionary(path, file).map(toMap),
  }),
  owner: fc.constant(OWNER),
  applied: fc
    .dictionary(name, fc.record({ digest: fc.string(), supervisor, service: name, files: fc.array(path) }))
    .map(toMap),
  unhealthy: fc.array(name).map(list => new Set(list)),
  prune: fc.boolean(),
})

function toMap<T>(entries: Readonly<Record<string, T>>): Map<string, T> {
  return new Map(Object.entries(entries))
}

describe('planning accepts every input:', () => {
  test('rubbish gives a plan, and never a step for an unknown or unavailable service', () => {
    assertReported(
      report,
      fc.property(input, given => {
        const plan = makePlan(given, sha256)
        const removal = makeRemovalPlan(undefined, given, sha256)
        for (const { supervisor, service, steps } of [...plan.facilities, ...removal.facilities]) {
          for (const { target: at = { supervisor, service } } of steps) {
            const found = given.snapshot.services.get(`${at.supervisor}/${at.service}`)
            expect(found === undefined || found.state === 'unknown').toBe(false)
          }
        }
      }),
      drawRuns(300, 1_000),
    )
  })
})

/** How many facilities, and ten times as many. Each run takes one of the shapes, another one each time, up to 10,000. */
const usual = [200, 2_000] as const
const full = [1_000, 10_000] as const
const drawn = drawSample(5)

function sizesOf(shape: number): typeof usual | typeof full {
  return shape % drawn.stride === drawn.first - 1 ? full : usual
}

describe('thousands of facilities on one host', () => {
  type Rows = (count: number) => PlanningCase[]
  const chain = (row: (declaration: { name: string; dependsOn: string[] }) => PlanningCase): Rows => {
    return count =>
      Array.from({ length: count }, (_, index) =>
        row({ name: `f${index}`, dependsOn: index + 1 < count ? [`f${index + 1}`] : [] }),
      )
  }
  const shapes: [name: string, Rows][] = [
    ['nothing to do', chain(asDeclared)],
    ['all new', chain(notThere)],
    ['all waiting for one that is blocked', count => [...chain(notThere)(count).slice(0, -1), stranger(count)]],
    ['all stopped', chain(declaration => asDeclared(declaration, { state: 'stopped' }))],
  ]

  function stranger(count: number): PlanningCase {
    return unowned({ name: `f${count - 1}` }, { state: 'stopped' })
  }

  for (const [index, [shape, rows]] of shapes.entries()) {
    const [few, many] = sizesOf(index)
    test(`${shape}, each depending on the next, are planned in time linear in their number`, () => {
      const [small, large] = [workOf(rows(few)), workOf(rows(many))]
      expect(large.looks / small.looks).toBeLessThan(15)
      expect(large.text / small.text).toBeLessThan(15)
    })
  }

  test('removed at once, each needed by the one before', () => {
    const removal = (count: number) => {
      const rows = chain(asDeclared)(count)
      const owned = rows.map(({ target: { facility } }): OwnedLocation => {
        return { supervisor: 'alpha', service: facility.service, ownership: markerOf(facility) }
      })
      const services = Object.fromEntries(
        rows.map(row => [`alpha/${row.target.facility.name}`, row.observed as Observed]),
      )
      return planCases([], { owned, services })
    }
    const [few, many] = sizesOf(shapes.length)
    const [small, large] = [removal(few), removal(many)]
    expect(large.summary.remove).toBe(many)
    expect(JSON.stringify(large).length / JSON.stringify(small).length).toBeLessThan(15)
  })
})

/**
 * Reads of facilities and markers while making a plan, and the length of the plan. Counted rather than timed, so the same on
 * every machine.
 */
function workOf(rows: readonly PlanningCase[]): { readonly looks: number; readonly text: number } {
  let looks = 0
  const counted = <T extends object>(value: T): T =>
    new Proxy(value, {
      get(of, key, receiver) {
        looks += 1
        return Reflect.get(of, key, receiver)
      },
    })
  const plan = planCases(
    rows.map(row => ({
      ...row,
      target: { ...row.target, facility: counted(row.target.facility) },
      ...(row.observed?.ownership ? { observed: { ...row.observed, ownership: counted(row.observed.ownership) } } : {}),
    })),
  )
  return { looks, text: JSON.stringify(plan).length }
}
